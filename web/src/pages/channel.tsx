import { useParams } from '@tanstack/react-router';
import { filling, reading, type Schemas } from '../api/client';
import { useRights } from '../api/session';
import { StateBadge } from '../parts/badge';
import { EmptyNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { words } from '../parts/values';
import { ChannelFacts, moves, RunNow } from './channel-card';
import { ChannelRuns } from './channel-runs';
import { ScheduleForm } from './schedule-form';

type Detail = Schemas['ConnectionDetailOut'];

/** One channel of a connection: when it runs, and what became of its runs. */
export function ChannelPage() {
  const { id = '', channel = '' } = useParams({ strict: false }) as { id?: string; channel?: string };
  return (
    <Loaded
      of={reading('/api/v1/connections/{connection}', { path: { connection: id } })}
      page={{ title: 'Connection', back: { href: '/connections', title: 'Connections' } }}
    >
      {(connection) => <Shown connection={connection} name={channel} />}
    </Loaded>
  );
}

function Shown({ connection, name }: { connection: Detail; name: string }) {
  const { decides } = useRights();
  const channel = connection.channels.find((one) => one.channel === name);
  if (!channel) {
    return (
      <Page title="Channel" back={{ href: `/connections/${connection.id}`, title: connection.name }}>
        <EmptyNote title="There is no such channel">A connection has orders, shipments and stock.</EmptyNote>
      </Page>
    );
  }
  const path = { connection: connection.id, channel: name };
  return (
    <Page
      title={`${words(name)} of ${connection.name}`}
      back={{ href: `/connections/${connection.id}`, title: connection.name }}
      badge={<StateBadge state={channel.enabled ? 'on' : 'off'} />}
      about={`${moves(name)}.`}
      actions={decides && connection.state !== 'archived' && <RunNow size="sm" connection={connection} channel={channel} />}
    >
      <Section title="Now">
        <ChannelFacts connection={connection} channel={channel} />
      </Section>
      <Loaded of={filling('/api/v1/connections/{connection}/channels/{channel}/schedule', { path })}>
        {(schedule) => <ScheduleForm key={name} connection={connection} channel={channel} schedule={schedule} />}
      </Loaded>
      <Section title="Runs of the last week" about="Newest first: why each was begun, and what it did.">
        <ChannelRuns connection={connection.id} channel={name} />
      </Section>
    </Page>
  );
}
