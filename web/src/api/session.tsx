import { createContext, useContext } from 'react';
import type { Schemas } from './client';

export type Session = Schemas['SessionOut'];

export const SessionContext = createContext<Session | null>(null);

/** Who is signed in. Only below the shell, which shows nothing else before it knows. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('nobody is signed in here');
  return session;
}

/** What the person may do, as docs/accounts.md says. The API decides; this only keeps away buttons that it would refuse. */
export function useRights() {
  const { person } = useSession();
  return {
    decides: person.role !== 'merchant',
    administers: person.role === 'administrator',
    installation: person.installation,
  };
}
