import { Group, Paper, Select, Stack, Tabs, Text } from '@mantine/core';
import { paging, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { sentence } from '../api/problem';
import { useRights } from '../api/session';
import { StateBadge } from '../parts/badge';
import { ExportCsv } from '../parts/export';
import { FilterBar, useFilters } from '../parts/filters';
import { To } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Page } from '../parts/page';
import { DataTable } from '../parts/table';
import { Cut, Time, words } from '../parts/values';
import { ChannelRuns } from './channel-runs';

const CHANNELS = ['orders', 'shipments', 'stock'];
const STATES = ['planned', 'armed', 'not_sent', 'unknown', 'probing', 'applied', 'refused', 'conflict', 'parked', 'absent_confirmed', 'superseded', 'voided'];
const KINDS = [
  'submit_request',
  'release_request',
  'cancel_request',
  'acknowledge',
  'create_note',
  'delete_note',
  'update_shipping',
  'post_shipped',
  'set_status',
  'add_order_note',
  'correct_stock',
];

const choices = (values: string[]) => values.map((value) => ({ value, label: words(value) }));

/** What the program did by itself. What people did is the audit trail. */
export function Activity() {
  const { administers } = useRights();
  const [filters, setFilters] = useFilters();
  const { connection } = filters;
  const tab = filters.tab === 'runs' ? 'runs' : 'changes';
  return (
    <Page
      title="Activity"
      about={
        <>
          What Millrace did: each change that it made in Brightpearl or at a warehouse, and each run of a channel.
          {administers && (
            <>
              {' '}
              What people did is the <To href="/audit" underline="always">audit trail</To>.
            </>
          )}
        </>
      }
      actions={tab === 'changes' && <ExportCsv kind="effects" filter={{ connection }} />}
    >
      <Tabs value={tab} onChange={(value) => setFilters({ connection, tab: value ?? undefined })} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="changes">Changes</Tabs.Tab>
          <Tabs.Tab value="runs">Runs</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="changes">
          <Changes />
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <Runs />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Changes() {
  const [{ connection, kind, state, needs }] = useFilters();
  const names = useNames();
  const query = { connection, kind, state, needs_person: needs === 'true' || undefined, limit: 100 };
  const filtered = connection ?? kind ?? state ?? needs;
  return (
    <Stack>
      <FilterBar
        list="changes"
        fields={[
          { name: 'state', label: 'State', several: true, choices: choices(STATES) },
          { name: 'kind', label: 'What', choices: choices(KINDS) },
          { name: 'connection', label: 'Connection', choices: names.connections },
          { name: 'needs', label: 'Needs a person', choices: [{ value: 'true', label: 'Only those' }] },
        ]}
      />
      <DataTable<Schemas['EffectOut']>
        of={paging('/api/v1/effects', { query })}
        long
        label="Changes"
        id={(effect) => effect.id}
        columns={[
          { title: 'Change', show: (effect) => <To href={`/effects/${effect.id}`}>{effect.title}</To> },
          { title: 'State', show: (effect) => <StateBadge state={effect.state} />, width: 140 },
          { title: 'Why', show: (effect) => effect.note && <Cut twice>{sentence(effect.note)}</Cut>, wide: true, width: 230 },
          { title: 'Connection', show: (effect) => <Cut>{names.connection(effect.connection)}</Cut>, wide: true, width: 122 },
          { title: 'Last changed', show: (effect) => <Time at={effect.changed_at} />, width: 146 },
        ]}
        empty={
          filtered ? (
            <EmptyNote title="No change is like this">Take a filter away.</EmptyNote>
          ) : (
            <EmptyNote title="Nothing was changed yet">
              Each request, note, status and correction that is sent appears here, with what became of it.
            </EmptyNote>
          )
        }
      />
    </Stack>
  );
}

function Runs() {
  const [filters, setFilters] = useFilters();
  const { connections } = useNames();
  const connection = filters.connection ?? connections[0]?.value;
  const channel = CHANNELS.includes(filters.channel ?? '') ? (filters.channel ?? '') : 'orders';
  if (!connection) {
    return (
      <Paper withBorder className="list">
        <EmptyNote title="Nothing is connected yet">The runs of the last week appear here, once a connection and its channels are on.</EmptyNote>
      </Paper>
    );
  }
  return (
    <Stack>
      <Group>
        <Select
          label="Connection"
          data={connections}
          value={connection}
          allowDeselect={false}
          onChange={(value) => setFilters({ ...filters, connection: value ?? undefined })}
        />
        <Select
          label="Channel"
          data={choices(CHANNELS)}
          value={channel}
          allowDeselect={false}
          onChange={(value) => setFilters({ ...filters, channel: value ?? undefined })}
        />
      </Group>
      <Text size="sm" className="quiet">
        Of the last week, newest first.
      </Text>
      <ChannelRuns key={connection + channel} connection={connection} channel={channel} />
    </Stack>
  );
}
