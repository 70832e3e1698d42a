import { Button, Group, List, Modal, Stack, Text } from '@mantine/core';
import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { problemFrom, sentence } from '../api/problem';
import { reread } from '../api/reread';
import { begin, forget, useWorks, type Work } from '../api/works';
import { ProblemNote } from '../parts/notes';
import { Going, Left } from '../parts/works';

/** One of those that something is done to. */
export interface Piece {
  id: string;
  /** What people call it. */
  called: string;
}

/** One that nothing could be done to. Without what it is called, its id says what it is. */
export interface Failure {
  id: string;
  called?: string;
  why: string;
}

export interface Told {
  /** What became of the others. */
  words: string;
  failed: Failure[];
  /** Those that are left. */
  left: Piece[];
}

/** What is done to each by a request of its own. */
export interface Deed {
  /** The list above which it is found again. */
  list: string;
  /** What one of them is called: `shipment`. */
  called: string;
  run: (id: string) => Promise<unknown>;
  /** What has become of so many. */
  said: (count: number) => string;
}

interface Wanted {
  title: string;
  pieces: Piece[];
  /** What it was done to before it was broken off, and those of them that it could not be done to. */
  through?: number;
  failed?: Failure[];
}

/** So many that failed are named. */
const NAMED = 20;

/** Does it to one after the other. Where nobody answers, or nobody is signed in any more, it stops there. The id of the work. */
export function doToEach(client: QueryClient, { list, run, said }: Deed, wanted: Wanted): number {
  const { title, pieces, through: before = 0, failed: earlier = [] } = wanted;
  const total = before + pieces.length;
  const told = (through: number, failed: Failure[]): Told => ({
    words: through > failed.length ? said(through - failed.length) : '',
    failed: [...failed],
    left: pieces.slice(through - before),
  });
  return begin<Told>({ list, title, total, through: before, told: told(before, earlier) }, async (came) => {
    const failed = [...earlier];
    try {
      for (const [index, { id, called }] of pieces.entries()) {
        try {
          await run(id);
        } catch (error) {
          const problem = problemFrom(error);
          if (problem.kind === 'unreachable' || problem.told.status === 401) throw problem;
          failed.push({ id, called, why: problem.told.detail });
        }
        const through = before + index + 1;
        came(through, told(through, failed));
      }
    } finally {
      void reread(client);
    }
  });
}

interface BecameProps {
  work: Work<Told>;
  deed: Deed;
  /** Shows one that it could not be done to. */
  named: (failure: Failure) => ReactNode;
  /** Told the id of the work that goes on with what is left. */
  went?: (id: number) => void;
}

/** What has become of them; where it was broken off, the button that goes on. */
export function Became({ work, deed, named, went }: BecameProps) {
  const client = useQueryClient();
  const { words, failed, left } = work.told;
  const goOn = () => {
    forget(work.id);
    const id = doToEach(client, deed, { title: work.title, pieces: left, through: work.through, failed });
    went?.(id);
  };
  return (
    <>
      {words && <Text size="sm">{words}</Text>}
      {failed.length > 0 && (
        <List size="sm">
          {failed.slice(0, NAMED).map((failure) => (
            <List.Item key={failure.id}>
              {named(failure)}: {sentence(failure.why)}
            </List.Item>
          ))}
        </List>
      )}
      {failed.length > NAMED && (
        <Text size="sm" className="quiet">
          And {failed.length - NAMED} more.
        </Text>
      )}
      <Left work={work} count={left.length} called={deed.called} goOn={goOn} />
      {work.isCut && work.isWhole && (
        <Text size="sm">
          This window was loaded anew before the answer came. What still stands is on this page.
        </Text>
      )}
    </>
  );
}

interface DialogProps extends Pick<BecameProps, 'deed' | 'named'> {
  title: string;
  /** What its button says. */
  label: string;
  explains: string;
  /** Begins it. The id of the work. */
  start: () => number;
  close: (begun: boolean) => void;
}

/** Asks before it is begun; shows how far it has come, and what became of them. It can be closed meanwhile. */
export function EachDialog({ title, label, explains, start, close, ...became }: DialogProps) {
  const [begun, setBegun] = useState<number | null>(null);
  const work = useWorks<Told>(became.deed.list).find(({ id }) => id === begun);
  return (
    <Modal opened onClose={() => close(begun !== null)} title={title} centered>
      <Stack>
        {work ? <Ran work={work} {...became} went={setBegun} /> : <Text size="sm">{explains}</Text>}
        <Group justify="flex-end">
          {begun !== null ? (
            <Button onClick={() => close(true)}>Close</Button>
          ) : (
            <>
              <Button variant="default" onClick={() => close(false)}>
                Cancel
              </Button>
              <Button onClick={() => setBegun(start())}>{label}</Button>
            </>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function Ran(props: BecameProps) {
  const { work } = props;
  if (work.isGoing) return <Going work={work} isAsked />;
  return (
    <div role="status">
      <Became {...props} />
      {work.problem && <ProblemNote error={work.problem} />}
    </div>
  );
}
