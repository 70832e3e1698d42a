import { Progress, Stack, Text } from '@mantine/core';
import { paging, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { StateBadge } from '../parts/badge';
import { EmptyNote } from '../parts/notes';
import { DataTable } from '../parts/table';
import { Time, took, who } from '../parts/values';

type Run = Schemas['ChannelRunOut'];

/** Reads the runs of a channel again this often while one is awaited or under way, in milliseconds. */
export const WATCH = 1_000;

/** Why a run was begun. */
function why({ cause, asked_by }: Run): string {
  switch (cause) {
    case 'schedule':
      return 'A rule';
    case 'pace':
      return 'Its own pace';
    case 'event':
      return 'Something happened';
    default:
      return asked_by ? who(asked_by) : 'A person';
  }
}

/** What a run has counted so far; what it has none of is left out. */
function counted(counts: Run['counts']): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`)
    .join(', ');
}

/** What a run did, or what it failed of. */
export function did(run: Run): string {
  if (run.outcome !== 'done' || Object.keys(run.counts).length === 0) return sentence(run.summary || 'nothing');
  // Of what was stopped, the reason matters more than the number.
  const why = run.counts.stopped ? run.summary.split('; stopped: ').slice(1).join('; ') : '';
  return sentence([counted(run.counts) || 'nothing was new', why].filter(Boolean).join(': '));
}

/** How far a run has come. */
export function RunProgress({ run }: { run: Run }) {
  const known = run.total ? Math.min(100, Math.round((run.done / run.total) * 100)) : null;
  const said = known === null ? (run.done > 0 ? `${run.done} so far` : 'It has begun') : `${run.done} of ${run.total}`;
  return (
    <Stack gap={4} role="status">
      <Progress value={known ?? 100} animated={known === null} aria-label={`How far it has come: ${said}`} />
      <Text size="sm">
        {said}
        {counted(run.counts) && ` (${counted(run.counts)})`}
      </Text>
    </Stack>
  );
}

/** What became of the runs of the last week. */
export function ChannelRuns({ connection, channel }: { connection: string; channel: string }) {
  return (
    <DataTable<Run>
      of={{
        ...paging('/api/v1/connections/{connection}/channels/{channel}/runs', {
          path: { connection, channel },
          query: { limit: 25 },
        }),
        refetchInterval: (query: { state: { data?: { pages: { items: Run[] }[] } } }) =>
          query.state.data?.pages[0]?.items[0]?.outcome === 'running' ? WATCH : false,
      }}
      label="Runs"
      id={(run) => run.id}
      columns={[
        { title: 'Began', show: (run) => <Time at={run.started_at} /> },
        { title: 'Why', show: why },
        { title: 'Outcome', show: (run) => <StateBadge state={run.outcome} /> },
        {
          title: 'It did',
          show: (run) => (run.outcome === 'running' ? <RunProgress run={run} /> : did(run)),
        },
        {
          title: 'Took',
          figure: true,
          wide: true,
          show: (run) =>
            run.ended_at && <span className="nowrap">{took(Date.parse(run.ended_at) - Date.parse(run.started_at))}</span>,
        },
      ]}
      empty={
        <EmptyNote title="No runs in the last week">
          Each run is listed here with what it did, once the connection and this channel are switched on.
        </EmptyNote>
      }
    />
  );
}

