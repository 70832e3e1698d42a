import { Button, Group, Select, Switch, TagsInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api, done, paging, whole, type Schemas } from '../api/client';
import { Problem } from '../api/problem';
import { Action, say, useAct } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { Chain } from '../parts/chain';
import { FormDialog } from '../parts/dialog';
import { useFaults } from '../parts/faults';
import { useFilters } from '../parts/filters';
import { EmptyNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { DataTable } from '../parts/table';
import { Time } from '../parts/values';
import { IssueList } from './issue-list';
import { Policies } from './policies';

type Channel = Schemas['AlertChannelOut'];

/** Everything that needs a person, and did. */
export function Issues() {
  const [filters, setFilters] = useFilters();
  const all = filters.all === 'true';
  return (
    <Page title="Issues" about="What cannot go on without a person. An issue closes by itself when its cause is gone.">
      <Switch
        label="Also those that closed"
        checked={all}
        onChange={(event) => setFilters({ all: event.currentTarget.checked ? 'true' : undefined })}
      />
      <IssueList all={all} />
    </Page>
  );
}

/** Who is told of what needs a person, and where. */
export function Alerts() {
  return (
    <Page title="Alerts" about="Who is told when something needs a person, and where.">
      <Section title="Where" actions={<NewChannel />}>
        <Channels />
      </Section>
      <Section title="What" about="The default policy tells everything everywhere. Others pick kinds, connections and times.">
        <Loaded of={whole('/api/v1/alerts/policies')}>{(policies) => <Policies policies={policies} />}</Loaded>
      </Section>
    </Page>
  );
}

function Channels() {
  return (
    <DataTable<Channel>
      of={paging('/api/v1/alerts/channels', { query: { limit: 50 } })}
      label="Where alerts go"
      id={(channel) => channel.id}
      columns={[
        { title: 'Name', show: (channel) => channel.name },
        { title: 'State', show: (channel) => <StateBadge state={channel.enabled ? 'on' : 'off'} /> },
        { title: 'To', show: (channel) => channel.host ?? channel.to?.join(', ') },
        { title: 'Last told', show: (channel) => <Time at={channel.last_message_at} none="Never" /> },
        { title: 'Problem', show: (channel) => channel.problem && <Chain>{channel.problem}</Chain> },
        { title: 'Do', show: (channel) => <ChannelActions channel={channel} /> },
      ]}
      empty={<EmptyNote title="Nobody is told yet">Add e-mail addresses or a chat, and try them.</EmptyNote>}
    />
  );
}

/** So often it is asked what became of a test, and after so many milliseconds each time. */
const LOOKS = 20;
const LOOK_AFTER = 500;

/** Sends a test, and says what came of it; where that takes longer, that it is on its way. */
async function tryIt(channel: string): Promise<void> {
  const { id } = await done(api.POST('/api/v1/alerts/channels/{channel}/test', { params: { path: { channel } } }));
  for (let looks = 0; looks < LOOKS; looks += 1) {
    await new Promise((wake) => setTimeout(wake, LOOK_AFTER));
    const { delivery, attempts } = await done(api.GET('/api/v1/deliveries/{delivery}', { params: { path: { delivery: id } } }));
    if (delivery.state === 'delivered') {
      say('The test was taken there. See whether it arrives.');
      return;
    }
    const problem = attempts.at(-1)?.problem;
    if (problem) {
      throw new Problem({ type: 'test_failed', title: 'The test did not get there', status: 0, detail: problem, remedy: 'Mend it, and try again.' });
    }
  }
  say('A test is on its way there.');
}

function ChannelActions({ channel }: { channel: Channel }) {
  const params = { path: { channel: channel.id } };
  return (
    <Group gap="xs">
      <Action
        size="xs"
        label="Try it"
        about={channel.name}
        run={() => tryIt(channel.id)}
      />
      <Action
        size="xs"
        label={channel.enabled ? 'Switch off' : 'Switch on'}
        about={channel.name}
        run={() =>
          done(
            api.PUT('/api/v1/alerts/channels/{channel}', {
              params,
              body: { name: channel.name, enabled: !channel.enabled, ...(channel.to ? { to: channel.to } : {}) },
            }),
          )
        }
      />
      <Action
        size="xs"
        label="Remove"
        about={channel.name}
        danger
        explains={`Nothing is told to ${channel.name} any more.`}
        run={() => done(api.DELETE('/api/v1/alerts/channels/{channel}', { params }))}
      />
    </Group>
  );
}

function NewChannel() {
  const [opened, setOpened] = useState(false);
  const [kind, setKind] = useState<Schemas['ChannelKindIn']>('email');
  const [name, setName] = useState('');
  const [to, setTo] = useState<string[]>([]);
  const [url, setUrl] = useState('');
  const make = useAct(
    () =>
      done(
        api.POST('/api/v1/alerts/channels', {
          body: { kind, name: name.trim(), ...(kind === 'email' ? { to } : { url: url.trim() }) },
        }),
      ),
    () => {
      say('It is kept. Try it, to see that it arrives.');
      setOpened(false);
    },
  );
  const faults = useFaults(make.error);
  return (
    <>
      <Button size="xs" onClick={() => setOpened(true)}>
        Add
      </Button>
      <FormDialog
        opened={opened}
        close={() => setOpened(false)}
        title="Tell somebody"
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
        <Select
          label="How"
          data={[
            { value: 'email', label: 'By e-mail' },
            { value: 'chat', label: 'In a chat' },
          ]}
          value={kind}
          allowDeselect={false}
          onChange={(value) => setKind(value === 'chat' ? 'chat' : 'email')}
        />
        {kind === 'email' ? (
          <TagsInput
            label="E-mail addresses"
            description="Enter after each. Try it says afterwards whether mail gets there; the mail server is the operator's (--smtp, --mail-from)."
            required
            value={to}
            error={faults.at('to', to)}
            onChange={setTo}
          />
        ) : (
          <TextInput
            label="Address that the chat gave"
            description="An incoming webhook. It is kept sealed and not shown again."
            type="url"
            required
            value={url}
            error={faults.at('url', url)}
            onChange={(event) => setUrl(event.currentTarget.value)}
          />
        )}
      </FormDialog>
    </>
  );
}
