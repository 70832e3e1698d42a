import { Button, Group } from '@mantine/core';
import { useLocation } from '@tanstack/react-router';
import { useContext } from 'react';
import { prove, type Schemas } from '../api/client';
import { mendOf, mendOfPause, mendOfRun, mendsOfLacks, type Place, type Way, type Who } from '../api/mends';
import type { Problem } from '../api/problem';
import { SessionContext } from '../api/session';
import { ToButton } from './link';

/** Where one is, and what one may do there: decides which way is shown. */
function useHere(): [Place, Record<Who, boolean>] {
  const { pathname, search } = useLocation();
  // Nobody is signed in on some pages that show problems.
  const role = useContext(SessionContext)?.person.role;
  const named = (search as { connection?: unknown }).connection;
  const connection = /^\/connections\/(con_[^/]+)/.exec(pathname)?.[1] ?? (typeof named === 'string' ? named : undefined);
  const may = {
    anybody: true,
    signed_in: role !== undefined,
    decides: role !== undefined && role !== 'merchant',
    administers: role === 'administrator',
  };
  return [{ pathname, connection }, may];
}

/** The way to what mends a problem, where there is one for this person. */
export function MendButton({ problem, retry }: { problem: Problem; retry: (() => void) | undefined }) {
  const mend = mendOf(problem, ...useHere());
  if (!mend) return null;
  if (mend.to !== 'proof') return <Ways of={[mend]} />;
  return (
    <Button size="xs" variant="default" onClick={() => void prove().then((given) => given && retry?.())}>
      {mend.label}
    </Button>
  );
}

function Ways({ of }: { of: Way[] }) {
  return of.map(({ label, to }) => (
    <ToButton key={to} href={to} size="xs" variant="default">
      {label}
    </ToButton>
  ));
}

/** The way to what mends a paused connection. */
export function MendPause({ connection }: { connection: Schemas['ConnectionOut'] }) {
  const mend = mendOfPause(connection, ...useHere());
  return mend ? <Ways of={[mend]} /> : null;
}

/** The ways to what mends what a connection lacks. */
export function MendLacks({ connection }: { connection: Schemas['ConnectionDetailOut'] }) {
  const ways = mendsOfLacks(connection, ...useHere());
  if (ways.length === 0) return null;
  return (
    <Group gap="xs" mt="sm">
      <Ways of={ways} />
    </Group>
  );
}

/** The way to what mends that a run of one of its channels failed. */
export function MendRun({ connection, words }: { connection: Schemas['ConnectionOut']; words: string }) {
  const mend = mendOfRun(connection, words, ...useHere());
  if (!mend) return null;
  return (
    <div>
      <Ways of={[mend]} />
    </div>
  );
}
