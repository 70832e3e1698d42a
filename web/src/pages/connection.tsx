import { Alert, Button, Group, List, NumberInput, Paper, SimpleGrid, Stack, Switch, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, done, reading, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { useRights } from '../api/session';
import { Action, complain, say, useAct } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { Facts } from '../parts/facts';
import { To, ToButton } from '../parts/link';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { every, Time, words } from '../parts/values';
import { useSwitch } from './connection-switch';
import { CheckResult } from './check-result';

type Detail = Schemas['ConnectionDetailOut'];
type Channel = Schemas['ChannelOut'];

/** One connection: its channels, and the way to its settings, mappings and census. */
export function ConnectionPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  return (
    <Loaded of={reading('/api/v1/connections/{connection}', { path: { connection: id } })}>
      {(connection) => <Shown connection={connection} />}
    </Loaded>
  );
}

function Shown({ connection }: { connection: Detail }) {
  const { decides, administers } = useRights();
  const { ask, dialog, pending } = useSwitch(connection);
  const params = { path: { connection: connection.id } };
  const paused = Object.entries(connection.paused ?? {});
  return (
    <Page
      title={connection.name}
      back={{ href: '/connections', title: 'Connections' }}
      badge={<StateBadge state={connection.state} />}
      about={`${connection.store_name} (account ${connection.account}) to ${connection.warehouse_name}`}
      actions={
        <>
          {decides && (
            <Button loading={pending} variant={connection.enabled ? 'default' : 'filled'} onClick={ask}>
              {connection.enabled ? 'Switch off' : 'Switch on'}
            </Button>
          )}
          {administers && (
            <ToButton href={`/connections/${connection.id}/settings`} variant="default">
              Settings
            </ToButton>
          )}
          <ToButton href={`/connections/${connection.id}/mappings`} variant="default">
            Mappings
          </ToButton>
          <ToButton href={`/connections/${connection.id}/preflight`} variant="default">
            Pre-flight
          </ToButton>
          <ToButton href={`/connections/${connection.id}/census`} variant="default">
            Census
          </ToButton>
        </>
      }
    >
      {dialog}
      {paused.length > 0 && (
        <Alert color="red" title="It is paused: something must be mended before it goes on" role="alert">
          <List size="sm">
            {paused.map(([side, why]) => (
              <List.Item key={side}>
                <b>{words(side)}:</b> {why}
              </List.Item>
            ))}
          </List>
          {decides && (
            <Action
              mt="sm"
              label="Go on: I have mended it"
              run={() => done(api.POST('/api/v1/connections/{connection}/resume', { params }))}
            />
          )}
        </Alert>
      )}
      {[...connection.problems, ...connection.warnings].length > 0 && (
        <Alert color="yellow" title="To be looked at">
          <List size="sm">
            {[...connection.problems, ...connection.warnings].map((line) => (
              <List.Item key={line}>{sentence(line)}</List.Item>
            ))}
          </List>
        </Alert>
      )}
      <SimpleGrid cols={{ base: 1, md: 3 }}>
        {connection.channels.map((channel) => (
          <ChannelCard key={channel.channel} connection={connection.id} channel={channel} />
        ))}
      </SimpleGrid>
      {connection.enabled && (
        <To href={`/connections/${connection.id}/tour`} size="sm">
          Follow an order on its way
        </To>
      )}
      {decides && <Test connection={connection.id} />}
      <Calls connection={connection} />
    </Page>
  );
}

const MOVES: Record<string, string> = {
  orders: 'Brightpearl to the warehouse',
  shipments: 'the warehouse to Brightpearl',
  stock: 'the warehouse to Brightpearl',
};

/** One flow: its switch, how often it runs, what its last run did. */
function ChannelCard({ connection, channel }: { connection: string; channel: Channel }) {
  const { decides } = useRights();
  const [seconds, setSeconds] = useState<string | number>(channel.every_seconds);
  const params = { path: { connection, channel: channel.channel } };
  const change = useAct((body: Schemas['ChannelIn']) =>
    done(api.PUT('/api/v1/connections/{connection}/channels/{channel}', { params, body })),
  );
  const due = channel.succeeded_at ? new Date(channel.succeeded_at).getTime() + channel.every_seconds * 1_000 : null;
  return (
    <Section
      title={words(channel.channel)}
      about={`From ${MOVES[channel.channel] ?? 'one side to the other'}, ${every(channel.every_seconds)}.`}
      actions={
        decides ? (
          <Switch
            aria-label={`${words(channel.channel)} is on`}
            checked={channel.enabled}
            disabled={change.isPending}
            onChange={(event) => change.mutate({ enabled: event.currentTarget.checked }, { onError: complain })}
          />
        ) : (
          <StateBadge state={channel.enabled ? 'on' : 'off'} />
        )
      }
    >
      <Facts
        of={[
          ['Last run', <Time key="l" at={channel.succeeded_at} none="Not yet" />],
          ['Next run', channel.enabled && due ? <Time at={new Date(Math.max(due, Date.now())).toISOString()} /> : '–'],
          ['It did', channel.summary],
          ['Asked for', channel.wanted_at && <Time at={channel.wanted_at} />],
        ]}
      />
      {channel.problem && (
        <Text size="sm" fw={600}>
          It failed: {channel.problem}
        </Text>
      )}
      {decides && (
        <Stack gap="xs">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              change.mutate(
                { enabled: channel.enabled, every_seconds: Number(seconds) },
                { onError: complain, onSuccess: () => say(`${words(channel.channel)} now run ${every(Number(seconds))}.`) },
              );
            }}
          >
            <Group gap="xs" align="flex-end">
              <NumberInput
                label="Seconds between runs"
                min={1}
                allowDecimal={false}
                value={seconds}
                onChange={setSeconds}
                w={160}
                size="xs"
              />
              <Button type="submit" size="xs" variant="default" disabled={Number(seconds) === channel.every_seconds}>
                Save
              </Button>
            </Group>
          </form>
          <Group>
            <Action
              size="xs"
              label="Run now"
              disabled={!channel.enabled}
              said="It runs as soon as it can."
              run={() => done(api.POST('/api/v1/connections/{connection}/channels/{channel}/run', { params }))}
            />
          </Group>
        </Stack>
      )}
    </Section>
  );
}

/** Tries both sides for real, without changing anything. */
function Test({ connection }: { connection: string }) {
  const test = useAct((trust: boolean) =>
    done(
      api.POST('/api/v1/connections/{connection}/test', {
        params: { path: { connection }, query: { trust_host_key: trust } },
      }),
    ),
  );
  return (
    <Section
      title="Test"
      about="Reads from both sides for real and changes nothing."
      actions={
        <Button variant="default" loading={test.isPending} onClick={() => test.mutate(false, { onError: complain })}>
          Test both sides
        </Button>
      }
    >
      {test.data && (
        <Stack aria-live="polite">
          {test.data.problems.map((problem) => (
            <Text key={problem} size="sm" fw={600}>
              {problem}
            </Text>
          ))}
          <CheckResult check={test.data.store} trust={() => test.mutate(true)} />
          <CheckResult check={test.data.warehouse} trust={() => test.mutate(true)} />
        </Stack>
      )}
    </Section>
  );
}

/** Whether Brightpearl calls when something changes, so that nothing waits for the next look. */
function Calls({ connection }: { connection: Detail }) {
  const { administers } = useRights();
  const params = { path: { connection: connection.id } };
  const { data } = useQuery(reading('/api/v1/connections/{connection}/webhooks', params));
  if (!data) return null;
  return (
    <Paper withBorder p="md">
      <Group justify="space-between">
        <div>
          <Text fw={600}>{data.state === 'on' ? 'Brightpearl calls when something changes' : 'It polls only'}</Text>
          <Text size="sm" className="quiet">
            {data.reason ?? (data.events.length > 0 ? `Called for: ${data.events.join(', ')}` : '')}
          </Text>
        </div>
        {administers && data.state !== 'on' && (
          <Action
            label="Ask Brightpearl to call"
            run={() => done(api.POST('/api/v1/connections/{connection}/webhooks', { params }))}
          />
        )}
      </Group>
    </Paper>
  );
}
