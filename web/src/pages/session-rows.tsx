import type { ReactNode } from 'react';
import type { Schemas } from '../api/client';
import { EmptyNote } from '../parts/notes';
import { Rows } from '../parts/table';
import { Time } from '../parts/values';

type View = Schemas['SessionView'];

/** Browsers and systems by the words with which they call themselves; the first that fits counts. */
const BROWSERS = [['Edg/', 'Edge'], ['OPR/', 'Opera'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']] as const;
const SYSTEMS = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS', 'Mac'], ['Linux', 'Linux']] as const;

/** A browser as people call it; the whole of what it said on hover. */
function Browser({ agent }: { agent: string }) {
  const named = (list: readonly (readonly [string, string])[]) => list.find(([word]) => agent.includes(word))?.[1];
  const [browser, system] = [named(BROWSERS), named(SYSTEMS)];
  return <span title={agent}>{browser ? `${browser}${system ? ` on ${system}` : ''}` : agent || 'Unnamed'}</span>;
}

/** The browsers that somebody is signed in with. */
export function SessionRows({ sessions, act }: { sessions: View[]; act?: (session: View) => ReactNode }) {
  if (sessions.length === 0) {
    return (
      <EmptyNote title="Not signed in anywhere">
        Each browser stands here from the moment that somebody signs in with it, until they sign out or the session is ended.
      </EmptyNote>
    );
  }
  return (
    <Rows
      label="Sessions"
      rows={sessions}
      id={(session) => session.id}
      columns={[
        { title: 'Browser', show: (session) => <Browser agent={session.agent} /> },
        { title: 'From', show: (session) => session.address },
        { title: 'Last used', show: (session) => <Time at={session.seen_at} /> },
        { title: 'Begun', show: (session) => <Time at={session.started_at} />, wide: true },
        ...(act ? [{ title: 'Do', show: act }] : []),
      ]}
    />
  );
}
