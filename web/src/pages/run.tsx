import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, done, paging, reading, whole, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { sentence } from '../api/problem';
import { useRights, useSession } from '../api/session';
import { Action } from '../parts/act';
import { approvers, explained, LABELS, LineAssents, products, RunAssents, turnOf } from './run-assents';
import { reasonOf, RunBadge, VerdictBadge } from './run-badge';
import { RunStage } from './run-stage';
import { Undo } from './run-undo';
import { Facts } from '../parts/facts';
import { To } from '../parts/link';
import { LongRows } from '../parts/long-rows';
import { EmptyNote, ProblemNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { DataTable, type Column } from '../parts/table';
import { Code, plain, Quantity, Time, words } from '../parts/values';

type Run = Schemas['RunDetailOut'];
type Line = Schemas['RunLineOut'];

const LINES = '/api/v1/stock/runs/{run}/lines';

// What no product was found for has its SKUs alone.
const lineOf = (line: Line) => `${line.product} ${line.warehouse} ${line.skus.join()}`;
const calledOf = (line: Line) => line.skus.join(', ');

const SKU: Column<Line> = { title: 'SKU', show: (line) => <Code>{line.skus.join(', ')}</Code>, width: 130 };
const DIFFERENCE: Column<Line> = { title: 'Difference', figure: true, show: (line) => <Quantity of={line.difference} signed />, width: 105 };
const WHY: Column<Line> = { title: 'Why', show: (line) => line.reason && sentence(line.reason) };

// Made once: rows are then drawn again only when something of theirs changes.
const COLUMNS: Column<Line>[] = [
  SKU,
  { title: 'Brightpearl', figure: true, show: (line) => <Quantity of={line.brightpearl} />, width: 115 },
  { title: 'Warehouse', figure: true, show: (line) => <Quantity of={line.figure} />, width: 110 },
  DIFFERENCE,
  { title: 'Parts', show: (line) => <Parts line={line} />, wide: true, width: 200 },
  { title: 'Verdict', show: (line) => <VerdictBadge verdict={line.verdict} />, width: 125 },
  WHY,
  { title: 'Correction', show: (line) => <Correction line={line} />, width: 110 },
];
const HELD_COLUMNS = [SKU, DIFFERENCE, WHY];

/** One comparison: what it would change, line by line, before it is written; and how to take it back after. */
export function RunPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  // Somebody's yes is no change of the run, and no event tells of it.
  const often = { refetchInterval: (query: { state: { data?: Run | undefined } }) => (query.state.data?.two_people ? 5_000 : false) };
  return (
    <Loaded
      of={{ ...reading('/api/v1/stock/runs/{run}', { path: { run: id } }), ...often }}
      page={{ title: 'Stock run', back: { href: '/stock', title: 'Stock' } }}
    >
      {(run) => <Shown run={run} />}
    </Loaded>
  );
}

function Shown({ run }: { run: Run }) {
  const { decides } = useRights();
  const { person } = useSession();
  const names = useNames();
  const params = { path: { run: run.id } };
  const corrections = run.verdicts['correct'] ?? 0;
  const waits = run.state === 'waiting';
  const turn = turnOf(run, person.id);
  const correct = `${products(corrections)} ${corrections === 1 ? 'is' : 'are'} corrected in Brightpearl by the differences shown here. It can be taken back.`;
  const canUndo = Object.keys(run.corrections).some((state) => state !== 'undone');
  return (
    <Page
      title={`Stock run of ${names.connection(run.connection)}`}
      back={{ href: `/stock?connection=${run.connection}`, title: 'Stock' }}
      badge={<RunBadge state={run.state} />}
      about={reasonOf(run)}
      actions={
        decides && (
          <>
            {waits && (
              <Action
                variant="filled"
                label={LABELS[turn]}
                disabled={turn === 'said'}
                confirm={turn === 'first' ? 'Say yes' : `Correct ${products(corrections)}`}
                explains={explained(turn, correct)}
                run={() => done(api.POST('/api/v1/stock/runs/{run}/approve', { params }))}
              />
            )}
            {waits && (
              <Action
                label="Drop"
                explains="Nothing is corrected. The next count is compared anew."
                run={() => done(api.POST('/api/v1/stock/runs/{run}/drop', { params }))}
              />
            )}
            {canUndo && <Undo run={run} />}
          </>
        )
      }
    >
      <RunStage run={run} />
      {waits && run.two_people && <RunAssents run={run} />}
      <Section title="About it">
        <Facts
          of={[
            ['Feed', <Code key="f">{run.feed}</Code>],
            ['Counted', <Time key="c" at={run.cut_off} />],
            ['Worked out', <Time key="m" at={run.made_at} />],
            ['SKUs in the feed', run.skus],
            ['Products compared', run.compared],
            ['Differ', run.changed],
            ['Approved by', run.state === 'planned' && approvers(run)],
          ]}
        />
      </Section>
      {decides && run.state === 'planned' && (run.verdicts['hold'] ?? 0) > 0 && <HeldLines run={run} />}
      <DataTable<Line>
        of={paging(LINES, { path: { run: run.id }, query: { limit: 500 } })}
        long
        tall
        label="Lines of the run"
        id={lineOf}
        columns={COLUMNS}
        empty={<EmptyNote title="Nothing differs">Every product that was compared agrees.</EmptyNote>}
      />
    </Page>
  );
}

/** Lines that a run held back while it corrected the others: single ones can be let go. */
function HeldLines({ run }: { run: Run }) {
  const { person } = useSession();
  const query = useQuery(whole(LINES, { path: { run: run.id }, query: { verdict: 'hold' } }));
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  if (query.error) return <ProblemNote error={query.error} retry={() => void query.refetch()} />;
  const held = query.data?.filter((line) => !line.effect) ?? [];
  const skus = held.filter((line) => chosen.has(lineOf(line))).flatMap((line) => line.skus);
  if (held.length === 0) return null;
  const turn = turnOf(run, person.id, skus);
  return (
    <Section
      title="Held back"
      about={`The run corrected the others. Look at these, then let go those that are right; each is worked out anew first.${run.two_people ? ' Two people let them go: the second one approves the same lines.' : ''}`}
      actions={
        <Action
          size="xs"
          variant="filled"
          label="Approve the chosen lines"
          disabled={skus.length === 0 || turn === 'said'}
          explains={explained(turn, `Brightpearl is corrected for ${skus.join(', ')}, where it still differs.`)}
          run={() => done(api.POST('/api/v1/stock/runs/{run}/approve', { params: { path: { run: run.id } }, body: { skus } }))}
          then={() => setChosen(new Set())}
        />
      }
    >
      {run.two_people && <LineAssents run={run} held={held.flatMap((line) => line.skus)} />}
      <LongRows<Line>
        label="Held lines"
        rows={held}
        id={lineOf}
        called={calledOf}
        chosen={chosen}
        choose={setChosen}
        columns={HELD_COLUMNS}
        tall
      />
      {(skus.length === 0 || turn === 'said') && (
        <Text size="sm" className="quiet">
          {skus.length === 0 ? 'Choose at least one line to approve it.' : 'You have approved these lines already: somebody else’s yes is missing.'}
        </Text>
      )}
    </Section>
  );
}

/** The change that it led to, or the one that took that back. */
function Correction({ line }: { line: Line }) {
  if (line.undone_by) return <To href={`/effects/${line.undone_by}`}>Taken back</To>;
  return line.effect ? <To href={`/effects/${line.effect}`}>{words(line.effect_state ?? 'planned')}</To> : '–';
}

function Parts({ line }: { line: Line }) {
  return Object.entries(line.parts)
    .filter(([, units]) => plain(units) !== '0')
    .map(([part, units]) => (
      <Text key={part} size="sm" className="nowrap">
        {words(part)}: <Quantity of={units} />
      </Text>
    ));
}
