import { Button, Checkbox, Modal, Paper, Stack, Switch, Text, Textarea } from '@mantine/core';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, done, reading, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { sentence } from '../api/problem';
import { useRights, useSession } from '../api/session';
import { Action, DialogEnd, useAct } from '../parts/act';
import { approvers, explained, LABELS, LineAssents, products, RunAssents, turnOf } from './run-assents';
import { reasonOf, RunBadge, VerdictBadge } from './run-badge';
import { Facts } from '../parts/facts';
import { useFaults } from '../parts/faults';
import { To } from '../parts/link';
import { EmptyNote, ProblemNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { Code, plain, Quantity, Time, words } from '../parts/values';

type Run = Schemas['RunDetailOut'];
type Line = Schemas['RunLineOut'];

const lineOf = (line: Line) => `${line.product} ${line.warehouse}`;

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
  const [all, setAll] = useState(false);
  const params = { path: { run: run.id } };
  const lines = all ? run.lines : run.lines.filter((line) => line.verdict !== 'same');
  const corrections = run.lines.filter((line) => line.verdict === 'correct');
  const waits = run.state === 'waiting';
  const turn = turnOf(run, person.id);
  const correct = `${products(corrections.length)} ${corrections.length === 1 ? 'is' : 'are'} corrected in Brightpearl by the differences shown here. It can be taken back.`;
  const canUndo = run.lines.some((line) => line.effect && !line.undone_by);
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
                confirm={turn === 'first' ? 'Say yes' : `Correct ${products(corrections.length)}`}
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
      {decides && run.state === 'planned' && <HeldLines run={run} />}
      <Switch label="Also products that agree" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />
      <Paper withBorder>
        {lines.length === 0 ? (
          <EmptyNote title="Nothing differs">Every product that was compared agrees.</EmptyNote>
        ) : (
          <Rows<Line>
            label="Lines of the run"
            rows={lines}
            id={lineOf}
            columns={[
              { title: 'SKU', show: (line) => <Code>{line.skus.join(', ')}</Code>, width: 130 },
              { title: 'Brightpearl', figure: true, show: (line) => <Quantity of={line.brightpearl} /> },
              { title: 'Warehouse', figure: true, show: (line) => <Quantity of={line.figure} /> },
              { title: 'Difference', figure: true, show: (line) => <Quantity of={line.difference} signed /> },
              { title: 'Parts', show: (line) => <Parts line={line} />, wide: true },
              { title: 'Verdict', show: (line) => <VerdictBadge verdict={line.verdict} /> },
              { title: 'Why', show: (line) => line.reason && sentence(line.reason) },
              {
                title: 'Correction',
                show: (line) =>
                  line.undone_by ? (
                    <To href={`/effects/${line.undone_by}`}>Taken back</To>
                  ) : line.effect ? (
                    <To href={`/effects/${line.effect}`}>{words(line.effect_state ?? 'planned')}</To>
                  ) : (
                    '–'
                  ),
              },
            ]}
          />
        )}
      </Paper>
    </Page>
  );
}

/** Lines that a run held back while it corrected the others: single ones can be let go. */
function HeldLines({ run }: { run: Run }) {
  const { person } = useSession();
  const held = run.lines.filter((line) => line.verdict === 'hold' && !line.effect);
  const [chosen, setChosen] = useState<Set<string>>(new Set());
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
      <Rows<Line>
        label="Held lines"
        rows={held}
        id={lineOf}
        called={(line) => line.skus.join(', ')}
        chosen={chosen}
        choose={setChosen}
        columns={[
          { title: 'SKU', show: (line) => <Code>{line.skus.join(', ')}</Code> },
          { title: 'Difference', figure: true, show: (line) => <Quantity of={line.difference} signed /> },
          { title: 'Why', show: (line) => line.reason && sentence(line.reason) },
        ]}
      />
    </Section>
  );
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

/** Takes corrections back. Shows first what that would change, against Brightpearl's present figures. */
function Undo({ run }: { run: Run }) {
  const [opened, setOpened] = useState(false);
  const [reason, setReason] = useState('');
  const [chosen, setChosen] = useState<string[]>([]);
  const params = { path: { run: run.id } };
  const look = useAct((skus: string[]) =>
    done(
      api.POST('/api/v1/stock/runs/{run}/undo', {
        params: { ...params, query: { dry_run: true } },
        body: { reason: 'a look at what it would do', skus },
      }),
    ),
  );
  const undo = useAct(
    () => done(api.POST('/api/v1/stock/runs/{run}/undo', { params, body: { reason: reason.trim(), skus: chosen } })),
    () => setOpened(false),
  );
  const faults = useFaults(undo.error);
  const start = () => {
    setOpened(true);
    setChosen([]);
    undo.reset();
    look.mutate([]);
  };
  return (
    <>
      <Button variant="default" onClick={start}>
        Undo
      </Button>
      <Modal opened={opened} onClose={() => setOpened(false)} title="Undo this run" size="xl" centered>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            undo.mutate();
          }}
        >
          <Stack>
            {look.error && <ProblemNote error={look.error} />}
            {look.isPending && <Text size="sm">Looking at Brightpearl's present figures …</Text>}
            {look.data && (
              <>
                <Text size="sm" role="status">
                  {sentence(look.data.told)}
                </Text>
                <Rows
                  label="What would be taken back"
                  rows={look.data.lines}
                  id={(line) => line.effect}
                  columns={[
                    {
                      title: 'Only this',
                      show: (line) => (
                        <Checkbox
                          aria-label={`Undo ${line.skus.join(', ')}`}
                          checked={line.skus.every((sku) => chosen.includes(sku))}
                          onChange={(event) =>
                            setChosen(
                              event.currentTarget.checked
                                ? [...chosen, ...line.skus]
                                : chosen.filter((sku) => !line.skus.includes(sku)),
                            )
                          }
                        />
                      ),
                    },
                    { title: 'SKU', show: (line) => <Code>{line.skus.join(', ')}</Code> },
                    { title: 'It changed', figure: true, show: (line) => <Quantity of={line.changed_by} signed /> },
                    { title: 'Brightpearl now', figure: true, show: (line) => <Quantity of={line.brightpearl_on_hand} /> },
                    { title: 'Undo by', figure: true, show: (line) => <Quantity of={line.undo_by} signed /> },
                    { title: 'Why it stays', show: (line) => line.reason && sentence(line.reason) },
                  ]}
                />
              </>
            )}
            <Textarea
              label="Reason"
              description="Kept in the audit trail, and shown with the products, which are then held."
              required
              value={reason}
              error={faults.at('reason', reason)}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
            {undo.error && <ProblemNote error={undo.error} faults={faults} />}
            <DialogEnd
              close={() => setOpened(false)}
              label={chosen.length > 0 ? 'Undo what is chosen' : look.data && look.data.undone > 1 ? `Undo all ${look.data.undone}` : 'Undo all'}
              busy={undo.isPending}
              disabled={!look.data}
              danger
            />
          </Stack>
        </form>
      </Modal>
    </>
  );
}
