import { Group, Paper, Stack, Switch, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { reading, whole, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { FilterBar, useFilters } from '../parts/filters';
import { To, ToButton } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { runs, Time, words } from '../parts/values';
import { useSwitch } from './connection-switch';
import { discard, draftOf, isOurs, PARTS, type Kept } from './wizard/draft';

type Connection = Schemas['ConnectionOut'];

/** The platforms that stores or warehouses here are on; where there is but one, it is nothing to choose by. */
function usePlatforms(side: Schemas['Side']) {
  const stores = useQuery({ ...whole('/api/v1/stores'), enabled: side === 'store' });
  const warehouses = useQuery({ ...whole('/api/v1/warehouses'), enabled: side === 'warehouse' });
  const { data: platforms } = useQuery({ ...reading('/api/v1/platforms'), staleTime: Infinity });
  const all = (side === 'store' ? stores : warehouses).data ?? [];
  const used = (platforms ?? []).filter(({ name }) => all.some(({ platform }) => platform === name));
  return {
    of: (id: string) => all.find((one) => one.id === id)?.platform,
    choices: used.map(({ name, title }) => ({ value: name, label: title })),
  };
}

/** Every connection, with its switch. */
export function Connections() {
  const { administers, decides } = useRights();
  const [filters] = useFilters();
  const names = useNames();
  const stores = usePlatforms('store');
  const warehouses = usePlatforms('warehouse');
  const text = (filters.text ?? '').toLowerCase();
  const fits = (connection: Connection) =>
    (!filters.state || connection.state === filters.state) &&
    (!filters.merchant || connection.merchant === filters.merchant) &&
    (!filters.store_platform || stores.of(connection.store) === filters.store_platform) &&
    (!filters.warehouse_platform || warehouses.of(connection.warehouse) === filters.warehouse_platform) &&
    [connection.name, connection.store_name, connection.warehouse_name].some((name) => name.toLowerCase().includes(text));
  return (
    <Page
      title="Connections"
      about="Each joins one Brightpearl account and one warehouse, for one merchant."
      actions={administers && <ToButton href="/connections/add">Add a connection</ToButton>}
    >
      {administers && <Unfinished />}
      <Loaded of={whole('/api/v1/connections', filters.state === 'archived' ? { query: { archived: true } } : undefined)}>
        {(connections) =>
          connections.length === 0 && filters.state !== 'archived' ? (
            <None />
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
                      { value: 'archived', label: 'Archived' },
                    ],
                  },
                  { name: 'merchant', label: 'Merchant', choices: names.merchants },
                  ...[
                    { name: 'store_platform', label: 'Store platform', choices: stores.choices },
                    { name: 'warehouse_platform', label: 'Warehouse platform', choices: warehouses.choices },
                  ].filter(({ name, choices }) => choices.length > 1 || filters[name]),
                ]}
              />
              <Paper withBorder>
                {connections.every((one) => !fits(one)) && (
                  <EmptyNote title="No connection is like that">Choose other filters, or clear them.</EmptyNote>
                )}
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
                    ...(decides ? [{ title: 'On', show: (one: Connection) => one.state !== 'archived' && <OnSwitch connection={one} /> }] : []),
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

/** Where there is none: how one is made, and where those are that were put away. */
function None() {
  const { administers } = useRights();
  const { data: some } = useQuery(reading('/api/v1/connections', { query: { archived: true, limit: 1 } }));
  const putAway = some !== undefined && some.items.length > 0;
  return (
    <Paper withBorder>
      <EmptyNote
        title="No connections yet"
        action={administers && putAway && <To href="/connections?state=archived">Those that were put away</To>}
      >
        {administers
          ? 'Add a connection: its merchant, its warehouse, its store. It takes about ten minutes, and it stays off until you switch it on.'
          : 'An administrator adds them.'}
      </EmptyNote>
    </Paper>
  );
}

/** Connections that somebody has begun to add, and not finished: one's own. */
function Unfinished() {
  const { data } = useQuery(reading('/api/v1/drafts', { query: { limit: 50 } }));
  const drafts = (data?.items ?? []).filter(isOurs);
  if (drafts.length === 0) return null;
  return (
    <Section title="Not finished" about="Connections that you have begun to add. Nobody else sees them.">
      <Rows<Kept>
        label="Not finished"
        rows={drafts}
        id={(draft) => draft.id}
        columns={[
          { title: 'Connection', show: (draft) => <To href={`/connections/add?draft=${draft.id}`}>{draft.name}</To> },
          { title: 'Step', show: (draft) => PARTS[draftOf(draft).step]?.title },
          { title: 'Changed', show: (draft) => <Time at={draft.changed_at} /> },
          { title: 'Kept until', show: (draft) => <Time at={draft.expires_at} />, wide: true },
          {
            title: 'Do',
            show: (draft) => (
              <Group gap="xs">
                <ToButton href={`/connections/add?draft=${draft.id}`} size="xs" variant="default">
                  Go on
                </ToButton>
                <Action
                  size="xs"
                  label="Discard"
                  about={draft.name}
                  danger
                  explains={`What was entered for ${draft.name} is forgotten, passwords included. Merchants, warehouses and stores that were made stay.`}
                  run={() => discard(draft.id)}
                />
              </Group>
            ),
          },
        ]}
      />
    </Section>
  );
}

function Channels({ connection }: { connection: Connection }) {
  return connection.channels.map((channel) => (
    <Text key={channel.channel} size="sm">
      {words(channel.channel)}: {channel.enabled ? runs(channel) : 'off'}
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
