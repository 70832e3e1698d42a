import { List, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { reading } from '../api/client';
import { sentence } from '../api/problem';
import { useWorks, type Work } from '../api/works';
import { To } from '../parts/link';
import { ProblemNote } from '../parts/notes';
import { Going, Works } from '../parts/works';

/** One that nothing could be done to: an order or a change by its id, or something that came in by what it is about. */
interface Failure {
  id?: string;
  subject?: string;
  why: string;
}

export interface Told {
  /** What became of the others. */
  words: string;
  failed: Failure[];
}

export const LIST = 'exceptions';
/** So many that failed are named. */
const NAMED = 20;

/** An order by its number, a change by what it does. */
export function Example({ id }: { id: string }) {
  const isOrder = id.startsWith('ord_');
  const order = useQuery({ ...reading('/api/v1/orders/{order}', { path: { order: id } }), enabled: isOrder, staleTime: 300_000 });
  const effect = useQuery({ ...reading('/api/v1/effects/{effect}', { path: { effect: id } }), enabled: !isOrder, staleTime: 300_000 });
  return <To href={isOrder ? `/orders/${id}` : `/effects/${id}`}>{order.data?.number ?? effect.data?.title ?? id}</To>;
}

/** What is done to all of one cause, above the causes: they go away as soon as what they kept goes on. */
export function ExceptionsWorks() {
  return <Works<Told> list={LIST} told={({ told }) => <Became told={told} />} />;
}

function Became({ told: { words, failed } }: { told: Told }) {
  return (
    <>
      {words && <Text size="sm">{words}</Text>}
      {failed.length > 0 && (
        <List size="sm">
          {failed.slice(0, NAMED).map(({ id, subject, why }) => (
            <List.Item key={id ?? subject}>
              {id ? <Example id={id} /> : subject}: {sentence(why)}
            </List.Item>
          ))}
        </List>
      )}
      {failed.length > NAMED && (
        <Text size="sm" className="quiet">
          And {failed.length - NAMED} more.
        </Text>
      )}
    </>
  );
}

export function useExceptionsWork(id: number | null): Work<Told> | undefined {
  return useWorks<Told>(LIST).find((work) => work.id === id);
}

/** The same in the dialog from which it was begun. */
export function Ran({ work }: { work: Work<Told> }) {
  if (work.isGoing) return <Going work={work} isAsked />;
  return (
    <div role="status">
      <Became told={work.told} />
      {work.problem && <ProblemNote error={work.problem} />}
    </div>
  );
}
