import { Paper, Stack, Switch, Text } from '@mantine/core';
import { reading, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { useRights } from '../api/session';
import { StateBadge } from '../parts/badge';
import { FilterBar, useFilters } from '../parts/filters';
import { To, ToButton } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Rows } from '../parts/table';
import { runs, Time } from '../parts/values';
import { useSwitch } from './connection-switch';

type Connection = Schemas['ConnectionOut'];

/** Every connection, with its switch. */
export function Connections() {
  const { administers, decides } = useRights();
  const [filters] = useFilters();
  const names = useNames();
  const text = (filters.text ?? '').toLowerCase();
  const fits = (connection: Connection) =>
    (!filters.state || connection.state === filters.state) &&
    (!filters.merchant || connection.merchant === filters.merchant) &&
    [connection.name, connection.store_name, connection.warehouse_name].some((name) => name.toLowerCase().includes(text));
  return (
    <Page
      title="Connections"
      about="Each joins one Brightpearl account and one warehouse, for one merchant."
      actions={administers && <ToButton href="/connections/add">Add a connection</ToButton>}
    >
      <Loaded of={reading('/api/v1/connections')}>
        {(connections) =>
          connections.length === 0 ? (
            <Paper withBorder>
              <EmptyNote title="No connections yet">
                {administers
                  ? 'Add one: merchant, warehouse, store. It stays off until you switch it on.'
                  : 'An administrator adds them.'}
              </EmptyNote>
            </Paper>
          ) : (
            <Stack>
              <FilterBar
                list="connections"
                search="Name, store, warehouse"
                fields={[
                  {
                    name: 'state',
                    label: 'State',
                    choices: [
                      { value: 'on', label: 'On' },
                      { value: 'off', label: 'Off' },
                      { value: 'paused', label: 'Paused' },
                    ],
                  },
                  { name: 'merchant', label: 'Merchant', choices: names.merchants },
                ]}
              />
              <Paper withBorder>
                <Rows
                  label="Connections"
                  rows={connections.filter(fits)}
                  id={(connection) => connection.id}
                  columns={[
                    { title: 'Connection', show: (one) => <To href={`/connections/${one.id}`}>{one.name}</To> },
                    { title: 'State', show: (one) => <StateBadge state={one.state} /> },
                    { title: 'Merchant', show: (one) => names.merchant(one.merchant), wide: true },
                    { title: 'Store', show: (one) => one.store_name },
                    { title: 'Warehouse', show: (one) => one.warehouse_name },
                    { title: 'Channels', show: (one) => <Channels connection={one} />, wide: true },
                    ...(decides ? [{ title: 'On', show: (one: Connection) => <OnSwitch connection={one} /> }] : []),
                  ]}
                />
              </Paper>
            </Stack>
          )
        }
      </Loaded>
    </Page>
  );
}

function Channels({ connection }: { connection: Connection }) {
  return connection.channels.map((channel) => (
    <Text key={channel.channel} size="sm">
      {channel.channel}: {channel.enabled ? runs(channel) : 'off'}
      {channel.enabled && channel.succeeded_at ? (
        <>
          , last <Time at={channel.succeeded_at} />
        </>
      ) : null}
    </Text>
  ));
}

function OnSwitch({ connection }: { connection: Connection }) {
  const { ask, dialog, pending } = useSwitch(connection);
  return (
    <>
      <Switch
        aria-label={`${connection.name} is on`}
        checked={connection.enabled}
        disabled={pending}
        onChange={() => ask()}
      />
      {dialog}
    </>
  );
}
