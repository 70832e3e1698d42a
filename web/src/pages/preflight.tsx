import { Button, Group, NumberInput, Paper, Progress, Stack, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';
import { api, done, paging, reading, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { useRights } from '../api/session';
import { Action, useAct } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { useFaults } from '../parts/faults';
import { useFilters } from '../parts/filters';
import { To, ToButton } from '../parts/link';
import { EmptyNote, ProblemNote, Waiting } from '../parts/notes';
import { Page } from '../parts/page';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { Time, who } from '../parts/values';
import { Causes, Gone } from './preflight-causes';

type Run = Schemas['PreflightOut'];
type Detail = Schemas['PreflightDetailOut'];

const BUSY = ['waiting', 'running'];

/** What would have become of past orders, before a connection is switched on. */
export function PreflightPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const [filters] = useFilters();
  const { data: connection } = useQuery(reading('/api/v1/connections/{connection}', { path: { connection: id } }));
  return (
    <Page
      title="Pre-flight"
      back={{ href: `/connections/${id}`, title: connection?.name ?? 'Connection' }}
      about="The orders of the last weeks are read from Brightpearl and planned exactly as if the connection were on. Nothing is sent, and no order is imported."
    >
      <Preflight connection={id} chosen={filters.run} />
    </Page>
  );
}

/** The newest run, or the chosen one; a run goes on while nobody looks, and is found again here. */
export function Preflight({ connection, chosen }: { connection: string; chosen?: string | undefined }) {
  const runs = useInfiniteQuery({
    ...paging('/api/v1/connections/{connection}/preflight', { path: { connection }, query: { limit: 10 } }),
    refetchInterval: (query) => (query.state.data?.pages[0]?.items.some((run) => BUSY.includes(run.state)) ? 2_000 : false),
  });
  const state = useQuery(reading('/api/v1/connections/{connection}', { path: { connection } })).data?.state;
  if (runs.error) return <ProblemNote error={runs.error} retry={() => void runs.refetch()} />;
  if (!runs.data) return <Waiting />;
  const all = runs.data.pages.flatMap((page) => page.items);
  const shown = chosen ?? all[0]?.id;
  const busy = all.find((run) => BUSY.includes(run.state));
  const others = all.filter((run) => run.id !== shown);
  const title = shown === all[0]?.id ? 'Earlier runs' : 'Other runs';
  const start = !busy && <Start connection={connection} again={all.length > 0} days={all[0]?.days ?? 30} />;
  return (
    <Stack>
      {shown ? (
        <Shown key={shown} connection={connection} id={shown} again={start} />
      ) : (
        <Paper withBorder>
          <EmptyNote title="No order was looked at yet">
            A pre-flight says how many of your past orders would have gone straight through, what would have held the others,
            and lets you mend it before the first order is sent.
          </EmptyNote>
        </Paper>
      )}
      {!shown && start}
      {others.length > 0 && (
        <Section title={title}>
          <Rows<Run>
            label={title}
            rows={others}
            id={(run) => run.id}
            columns={[
              {
                title: 'Run',
                show: (run) => (
                  <To href={`/connections/${connection}/preflight?run=${run.id}`}>
                    <Time at={run.wanted_at} />
                  </To>
                ),
              },
              { title: 'State', show: (run) => <StateBadge state={run.state} /> },
              { title: 'Days', figure: true, show: (run) => run.days },
              { title: 'Orders', figure: true, show: (run) => run.orders },
              { title: 'Stood still', figure: true, show: (run) => run.stuck },
              { title: 'By', show: (run) => who(run.wanted_by), wide: true },
            ]}
          />
          {runs.hasNextPage && (
            <Button variant="default" size="xs" onClick={() => void runs.fetchNextPage()} loading={runs.isFetchingNextPage}>
              Show more
            </Button>
          )}
        </Section>
      )}
      {state === 'off' && (
        <Group justify="flex-end">
          <ToButton href={`/connections/${connection}`} variant="default">
            To the connection, to switch it on
          </ToButton>
        </Group>
      )}
    </Stack>
  );
}

/** Asks for a run. */
function Start({ connection, again, days }: { connection: string; again: boolean; days: number }) {
  const { decides } = useRights();
  const [back, setBack] = useState<string | number>(days);
  const start = useAct(() =>
    done(
      api.POST('/api/v1/connections/{connection}/preflight', {
        params: { path: { connection } },
        body: { days: Number(back) },
      }),
    ),
  );
  const faults = useFaults(start.error);
  if (!decides) return null;
  return (
    <Paper withBorder p="md">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          start.mutate();
        }}
      >
        <Stack gap="sm">
          <Group align="flex-end">
            <NumberInput
              label="Orders of the last days"
              min={1}
              max={90}
              allowDecimal={false}
              w={190}
              value={back}
              error={faults.at('days', back)}
              onChange={setBack}
            />
            <Button type="submit" loading={start.isPending}>
              {again ? 'Run again' : 'Run the pre-flight'}
            </Button>
          </Group>
          <Text size="sm" className="quiet">
            A thousand orders cost about fifteen calls; all other work with the account goes first.
          </Text>
          {start.error && <ProblemNote error={start.error} faults={faults} />}
        </Stack>
      </form>
    </Paper>
  );
}

function Shown({ connection, id, again }: { connection: string; id: string; again: ReactNode }) {
  const run = useQuery({
    ...reading('/api/v1/connections/{connection}/preflight/{preflight}', { path: { connection, preflight: id } }),
    refetchInterval: (query) => (query.state.data && BUSY.includes(query.state.data.state) ? 1_000 : false),
  });
  if (run.error) return <ProblemNote error={run.error} retry={() => void run.refetch()} />;
  if (!run.data) return <Waiting />;
  // What has not looked at all of them cannot say what is gone.
  const shown = run.data.state === 'finished' ? run.data : { ...run.data, before: null };
  return (
    <>
      <Answer connection={connection} run={shown} />
      {again}
      {shown.state !== 'waiting' && <Causes connection={connection} of={shown} />}
      <Gone mended={shown.before?.mended ?? []} />
    </>
  );
}

/** How far it has come, and what share of the orders would have gone. */
function Answer({ connection, run }: { connection: string; run: Detail }) {
  const { decides } = useRights();
  const busy = BUSY.includes(run.state);
  const params = { path: { connection, preflight: run.id } };
  return (
    <Section
      title={busy ? 'It looks at your orders' : 'What would have become of them'}
      actions={
        <>
          <StateBadge state={run.state} tone={run.state === 'finished' ? 'good' : run.state === 'failed' ? 'bad' : 'busy'} />
          {busy && decides && (
            <Action
              size="xs"
              label="Cancel"
              run={() => done(api.POST('/api/v1/connections/{connection}/preflight/{preflight}/cancel', { params }))}
            />
          )}
        </>
      }
      about={
        <>
          Orders since <Time at={run.since} />, looked at <Time at={run.ended_at ?? run.wanted_at} />.
          {busy && ' You can leave this page: it goes on, and is found here again.'}
        </>
      }
    >
      {busy && (
        <div>
          <Progress
            value={run.total ? (100 * run.orders) / run.total : 0}
            animated
            aria-label={`${run.orders} of ${run.total ?? 'unknown'} orders looked at`}
          />
          <Text size="sm" mt={6} role="status">
            {run.total === null || run.total === undefined
              ? 'Searching for the orders'
              : `${run.orders} of ${run.total} orders looked at`}
          </Text>
        </div>
      )}
      {run.problem && <Text fw={600}>{sentence(run.problem)}</Text>}
      {run.orders > 0 && <Shares run={run} />}
      {run.state === 'finished' && run.orders === 0 && (
        <Text>No order came into Brightpearl in these days. Look further back.</Text>
      )}
    </Section>
  );
}

const PARTS = [
  { name: 'through', title: 'would have gone straight through', color: 'teal.8' },
  { name: 'stuck', title: 'would have stood still', color: 'orange.8' },
  { name: 'left_out', title: 'left out on purpose', color: 'gray.6' },
] as const;

function Shares({ run }: { run: Detail }) {
  const meant = run.through + run.stuck;
  const share = run.stuck_per_mille === null || run.stuck_per_mille === undefined ? null : run.stuck_per_mille / 10;
  return (
    <Stack gap="xs">
      <Progress.Root size={22} aria-hidden>
        {PARTS.map((part) => (
          <Progress.Section key={part.name} value={(100 * run[part.name]) / run.orders} color={part.color} aria-label={part.title} />
        ))}
      </Progress.Root>
      <Group gap="lg">
        {PARTS.map((part) => (
          <div key={part.name}>
            <Text size="xl" fw={700} className="figure">
              {run[part.name]}
            </Text>
            <Group gap={6} wrap="nowrap">
              <span className="dot" data-part={part.name} aria-hidden />
              <Text size="sm">{part.title}</Text>
            </Group>
          </div>
        ))}
      </Group>
      {share !== null && (
        <Text size="sm">
          Of {meant} orders that were meant to go, {share} % would have stood still
          {run.before && run.before.stuck_per_mille !== null && run.before.stuck_per_mille !== undefined
            ? `; ${run.before.stuck_per_mille / 10} % in the run before.`
            : '.'}
        </Text>
      )}
    </Stack>
  );
}
