import { Button } from '@mantine/core';
import { useLocation } from '@tanstack/react-router';
import { useContext } from 'react';
import { prove } from '../api/client';
import { mendOf } from '../api/mends';
import type { Problem } from '../api/problem';
import { SessionContext } from '../api/session';
import { ToButton } from './link';

/** The way to what mends a problem, where there is one for this person. */
export function MendButton({ problem, retry }: { problem: Problem; retry: (() => void) | undefined }) {
  const { pathname, search } = useLocation();
  // Nobody is signed in on some pages that show problems.
  const role = useContext(SessionContext)?.person.role;
  const named = (search as { connection?: unknown }).connection;
  const connection = /^\/connections\/(con_[^/]+)/.exec(pathname)?.[1] ?? (typeof named === 'string' ? named : undefined);
  const mend = mendOf(problem, { pathname, connection }, {
    anybody: true,
    signed_in: role !== undefined,
    decides: role !== undefined && role !== 'merchant',
    administers: role === 'administrator',
  });
  if (!mend) return null;
  if (mend.to !== 'proof') {
    return (
      <ToButton href={mend.to} size="xs" variant="default">
        {mend.label}
      </ToButton>
    );
  }
  return (
    <Button size="xs" variant="default" onClick={() => void prove().then((given) => given && retry?.())}>
      {mend.label}
    </Button>
  );
}
