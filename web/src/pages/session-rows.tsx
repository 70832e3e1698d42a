import type { ReactNode } from 'react';
import type { Schemas } from '../api/client';
import { EmptyNote } from '../parts/notes';
import { Rows } from '../parts/table';
import { Time } from '../parts/values';

type View = Schemas['SessionView'];

/** The browsers that somebody is signed in with. */
export function SessionRows({ sessions, act }: { sessions: View[]; act?: (session: View) => ReactNode }) {
  if (sessions.length === 0) return <EmptyNote title="Not signed in anywhere" />;
  return (
    <Rows
      label="Sessions"
      rows={sessions}
      id={(session) => session.id}
      columns={[
        { title: 'Browser', show: (session) => session.agent || 'Unnamed' },
        { title: 'From', show: (session) => session.address },
        { title: 'Last used', show: (session) => <Time at={session.seen_at} /> },
        { title: 'Begun', show: (session) => <Time at={session.started_at} />, wide: true },
        ...(act ? [{ title: 'End', show: act }] : []),
      ]}
    />
  );
}
