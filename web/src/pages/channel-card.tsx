import { Group, Switch, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, done, reading, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { useRights } from '../api/session';
import { Action, complain, useAct } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { Facts } from '../parts/facts';
import { ToButton } from '../parts/link';
import { MendRun } from '../parts/mend';
import { Section } from '../parts/section';
import { runs, Time, told, words } from '../parts/values';
import { did, RunProgress, WATCH } from './channel-runs';

type Channel = Schemas['ChannelOut'];
type Connection = Schemas['ConnectionOut'];

const MOVES: Record<string, string> = {
  orders: 'Brightpearl to the warehouse',
  shipments: 'the warehouse to Brightpearl',
  stock: 'the warehouse to Brightpearl',
};

export const moves = (channel: string) => `From ${MOVES[channel] ?? 'one side to the other'}`;

/** One flow: its switch, when it runs, what its last run did, and how far the present one has come. */
export function ChannelCard({ connection, channel }: { connection: Connection; channel: Channel }) {
  const { decides } = useRights();
  const here = `/connections/${connection.id}/channels/${channel.channel}`;
  const path = { connection: connection.id, channel: channel.channel };
  const change = useAct((body: Schemas['ChannelIn']) =>
    done(api.PUT('/api/v1/connections/{connection}/channels/{channel}', { params: { path }, body })),
  );
  const archived = connection.state === 'archived';
  return (
    <Section
      title={words(channel.channel)}
      about={`${moves(channel.channel)}, ${runs(channel)}.`}
      actions={
        decides && !archived ? (
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
      <ChannelFacts connection={connection} channel={channel} />
      <Group gap="xs" mt="auto">
        {decides && !archived && <RunNow connection={connection} channel={channel} />}
        <ToButton href={here} size="xs" variant="default">
          Schedule and runs
        </ToButton>
      </Group>
    </Section>
  );
}

/** Has a channel run as soon as it can. */
export function RunNow({ connection, channel, size = 'xs' }: { connection: Connection; channel: Channel; size?: 'xs' | 'sm' }) {
  const path = { connection: connection.id, channel: channel.channel };
  return (
    <Action
      size={size}
      label="Run now"
      disabled={!channel.enabled || !connection.enabled}
      said={`${words(channel.channel)} run as soon as they can.`}
      run={() => done(api.POST('/api/v1/connections/{connection}/channels/{channel}/run', { params: { path } }))}
    />
  );
}

function next(connection: Connection, channel: Channel) {
  if (!channel.enabled) return 'Never: the channel is off';
  if (!connection.enabled) return 'Never: the connection is off';
  return channel.next_run_at ? <Time at={channel.next_run_at} past="now" /> : 'When something happens';
}

/** Its last and its next run; the one under way, with how far it has come. */
export function ChannelFacts({ connection, channel }: { connection: Connection; channel: Channel }) {
  const path = { connection: connection.id, channel: channel.channel };
  const asked = Boolean(channel.wanted_at) && channel.enabled && connection.enabled;
  const newest = useQuery({
    ...reading('/api/v1/connections/{connection}/channels/{channel}/runs', { path, query: { limit: 1 } }),
    refetchInterval: (query) => (asked || query.state.data?.items[0]?.outcome === 'running' ? WATCH : false),
  }).data?.items[0];
  const running = newest?.outcome === 'running' ? newest : undefined;
  return (
    <>
      <Facts
        of={[
          ['Last run', <Time key="l" at={channel.succeeded_at} none="Not yet" />],
          ['It did', newest?.outcome === 'done' ? did(newest) : told(channel.summary)],
          ['Next run', running ? 'It runs now' : asked ? 'As soon as it can' : next(connection, channel)],
        ]}
      />
      {running && <RunProgress run={running} />}
      {channel.problem && (
        <>
          <Text size="sm" fw={600} role="status">
            The last run failed: {sentence(channel.problem)}
          </Text>
          <MendRun connection={connection} words={channel.problem} />
        </>
      )}
    </>
  );
}
