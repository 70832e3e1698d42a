import { Button, MultiSelect, Paper, Select, Stack, Text, TextInput } from '@mantine/core';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, done, paging, reading, whole, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { Action, useAct } from '../parts/act';
import { Block } from '../parts/block';
import { StateBadge } from '../parts/badge';
import { Chain } from '../parts/chain';
import { FormDialog } from '../parts/dialog';
import { Facts } from '../parts/facts';
import { useFaults } from '../parts/faults';
import { To } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { DataTable, Rows } from '../parts/table';
import { Time, took, words } from '../parts/values';
import { Once } from './secret';

type Webhook = Schemas['WebhookOut'];

const EVENTS = ['order', 'shipment', 'run', 'exception', 'effect', 'finding', 'safety', 'connection', 'channel', 'census', 'alert', 'desk'];

/** Calls to people's own programs. */
export function Webhooks() {
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <Page
      title="Webhooks"
      about="Your own programs are called when something changes here; messages are signed by the Standard Webhooks scheme."
      actions={<NewWebhook made={setSecret} />}
    >
      {secret && <Once title="What the messages are signed with" secret={secret} />}
      <Loaded of={whole('/api/v1/webhooks')}>
        {(webhooks) =>
          webhooks.length === 0 ? (
            <Paper withBorder>
              <EmptyNote title="No webhook yet">
                Press Add a webhook, and name an address of your own program and the events that it wants. Each webhook stands here
                with the messages that were sent to it.
              </EmptyNote>
            </Paper>
          ) : (
            <Stack>
              {webhooks.map((webhook) => (
                <OneWebhook key={webhook.id} webhook={webhook} rotated={setSecret} />
              ))}
            </Stack>
          )
        }
      </Loaded>
    </Page>
  );
}

function OneWebhook({ webhook, rotated }: { webhook: Webhook; rotated: (secret: string) => void }) {
  const params = { path: { webhook: webhook.id } };
  const { name, url, events, enabled } = webhook;
  return (
    <Section
      title={name}
      about={url}
      actions={
        <>
          <StateBadge state={enabled ? 'on' : 'off'} />
          <Action size="xs" label="Try it" said="A test is on its way." run={() => done(api.POST('/api/v1/webhooks/{webhook}/test', { params }))} />
          <Action
            size="xs"
            label={enabled ? 'Switch off' : 'Switch on'}
            run={() => done(api.PUT('/api/v1/webhooks/{webhook}', { params, body: { name, url, events, enabled: !enabled } }))}
          />
          <Action
            size="xs"
            label="New secret"
            explains="Messages are signed with a new secret, and with the old one too for 24 hours."
            run={async () => {
              const { secret } = await done(api.POST('/api/v1/webhooks/{webhook}/secret', { params, body: {} }));
              rotated(secret);
            }}
          />
          <Action
            size="xs"
            label="Remove"
            danger
            explains={`${url} is called no more, and what waits for it is dropped.`}
            run={() => done(api.DELETE('/api/v1/webhooks/{webhook}', { params }))}
          />
        </>
      }
    >
      <Facts
        of={[
          ['Events', events.join(', ')],
          ['Failing since', webhook.failing_since && <Time at={webhook.failing_since} />],
          ['Switched off because', webhook.disabled_why && <Chain>{webhook.disabled_why}</Chain>],
        ]}
      />
      <DataTable<Schemas['DeliveryOut']>
        of={paging('/api/v1/webhooks/{webhook}/deliveries', { ...params, query: { limit: 10 } })}
        label={`Deliveries to ${name}`}
        id={(delivery) => delivery.id}
        columns={[
          { title: 'When', show: (one) => <To href={`/deliveries/${one.id}`}><Time at={one.created_at} /></To> },
          { title: 'Of', show: (one) => words(one.kind) },
          { title: 'State', show: (one) => <StateBadge state={one.state} /> },
          { title: 'Tries', figure: true, show: (one) => one.tries },
          { title: 'Next', show: (one) => <Time at={one.next_at} />, wide: true },
        ]}
        empty={
          <EmptyNote title="Nothing was sent yet">
            Each message appears here with every try, as soon as one of its events happens. Try it sends a test now.
          </EmptyNote>
        }
      />
    </Section>
  );
}

function NewWebhook({ made }: { made: (secret: string) => void }) {
  const names = useNames();
  const [opened, setOpened] = useState(false);
  const [name, setName] = useState('');
  const [url, setUrl] = useState('');
  const [events, setEvents] = useState<string[]>(['order', 'shipment']);
  const [merchant, setMerchant] = useState<string | null>(null);
  const make = useAct(
    () =>
      done(
        api.POST('/api/v1/webhooks', {
          body: { name: name.trim(), url: url.trim(), events, ...(merchant ? { merchant } : {}) },
        }),
      ),
    (answer) => {
      setOpened(false);
      made(answer.secret);
    },
  );
  const faults = useFaults(make.error);
  return (
    <>
      <Button onClick={() => setOpened(true)}>Add a webhook</Button>
      <FormDialog
        opened={opened}
        close={() => setOpened(false)}
        title="Add a webhook"
        starred
        submit={() => make.mutate()}
        label="Add"
        busy={make.isPending}
        error={make.error}
        faults={faults}
      >
        <TextInput
          label="Name"
          required
          value={name}
          error={faults.at('name', name)}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
        <TextInput
          label="Address"
          description="https, of the public network."
          type="url"
          required
          value={url}
          error={faults.at('url', url)}
          onChange={(event) => setUrl(event.currentTarget.value)}
        />
        <MultiSelect
          searchable
          label="Events"
          required
          data={EVENTS.map((value) => ({ value, label: words(value) }))}
          value={events}
          error={faults.at('events', events)}
          onChange={setEvents}
        />
        <Select
          label="Only of this merchant"
          clearable
          placeholder="All"
          data={names.merchants}
          value={merchant}
          error={faults.at('merchant', merchant)}
          onChange={setMerchant}
          clearButtonProps={{ 'aria-label': 'All merchants' }}
        />
      </FormDialog>
    </>
  );
}

/** One message: what was sent, and every try. */
export function DeliveryPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const params = { path: { delivery: id } };
  return (
    <Loaded
      of={reading('/api/v1/deliveries/{delivery}', params)}
      page={{ title: 'Delivery', back: { href: '/webhooks', title: 'Webhooks' } }}
    >
      {({ delivery, attempts, body }) => (
        <Page
          title={`Delivery of ${delivery.kind}`}
          back={{ href: '/webhooks', title: 'Webhooks' }}
          badge={<StateBadge state={delivery.state} />}
          actions={<Action label="Send it again" run={() => done(api.POST('/api/v1/deliveries/{delivery}/replay', { params }))} />}
        >
          <Section title="What is sent">
            <Block label="What is sent">{JSON.stringify(body, null, 2)}</Block>
          </Section>
          <Section title="Tries">
            {attempts.length === 0 ? (
              <Text size="sm">It has not been tried yet.</Text>
            ) : (
              <Rows
                label="Tries"
                rows={attempts}
                id={(attempt) => attempt.at}
                columns={[
                  { title: 'When', show: (one) => <Time at={one.at} /> },
                  { title: 'Answer', show: (one) => one.status },
                  { title: 'Took', figure: true, show: (one) => took(one.took_ms) },
                  { title: 'Problem', show: (one) => one.problem && <Chain>{one.problem}</Chain> },
                  { title: 'It said', show: (one) => <Text size="sm" className="breaks">{one.answer || '–'}</Text>, wide: true },
                ]}
              />
            )}
          </Section>
        </Page>
      )}
    </Loaded>
  );
}
