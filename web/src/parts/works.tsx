import { Button, Group, Progress, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { forget, useWorks, type Work } from '../api/works';
import { ProblemNote, Waiting } from './notes';
import { Section } from './section';

/** How far something has come that is done to many. */
export function Going({ work, isAsked = false }: { work: Work<unknown>; isAsked?: boolean }) {
  const { total, through, isWhole } = work;
  return (
    <div>
      {isWhole ? (
        <Waiting what={total === 1 ? 'It is gone through' : `All ${total} are gone through`} />
      ) : (
        <>
          <Progress value={(100 * through) / Math.max(1, total)} aria-label={`${through} of ${total}`} />
          {/* Told aloud once: where somebody has just asked for it. */}
          <Text size="sm" mt={6} role={isAsked ? 'status' : undefined}>
            {through} of {total}
          </Text>
        </>
      )}
      {isAsked && (
        <Text size="sm" className="quiet" mt={6}>
          You may close this and go to other pages: it goes on, and is found again at the top of the page. This window must stay open;
          where it is loaded anew, it stops, and you go on with what is left from there.
        </Text>
      )}
    </div>
  );
}

interface LeftProps {
  work: Work<unknown>;
  /** So many it was not done to, as far as it is known. */
  count: number;
  /** What one of them is called: `order`. */
  called: string;
  goOn: () => void;
}

/** What something that was broken off has left, and the button that goes on with it. */
export function Left({ work, count, called, goOn }: LeftProps) {
  if (count === 0) return null;
  const many = count === 1 ? `1 ${called} is` : `${count} ${called}s are`;
  return (
    <Group gap="sm">
      <Text size="sm">
        {work.isCut
          ? `${many} left: this window was loaded anew meanwhile. What was just under way may be done already, and is not done twice.`
          : work.problem?.told.status === 0
            ? `${many} left: nobody answered. What was just under way may be done already, and is not done twice.`
            : `${many} left as before: it was broken off.`}
      </Text>
      <Button size="xs" variant="default" aria-label={`Go on with ${count === 1 ? 'it' : 'them'}: ${work.title}`} onClick={goOn}>
        Go on with {count === 1 ? 'it' : 'them'}
      </Button>
    </Group>
  );
}

/** What was begun from a list and goes on, or has ended and was not put away. */
export function Works<Told>({ list, told }: { list: string; told: (work: Work<Told>) => ReactNode }) {
  const works = useWorks<Told>(list);
  if (works.length === 0) return null;
  return (
    <Section title="Done to many at once" about="Kept in this window until you put it away.">
      {works.map((work) => (
        <Stack key={work.id} gap="xs" role="group" aria-label={work.title}>
          <Group justify="space-between" gap="xs">
            <Text fw={500}>{work.title}</Text>
            {!work.isGoing && (
              <Button size="xs" variant="default" aria-label={`Put away: ${work.title}`} onClick={() => forget(work.id)}>
                Put away
              </Button>
            )}
          </Group>
          {work.isGoing ? <Going work={work} /> : told(work)}
          {work.problem && <ProblemNote error={work.problem} />}
        </Stack>
      ))}
    </Section>
  );
}
