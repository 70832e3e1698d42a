import { Paper } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Navigate } from '@tanstack/react-router';
import { reading, whole, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { useRights } from '../api/session';
import { StateBadge } from '../parts/badge';
import { To, ToButton } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Rows, type Column } from '../parts/table';
import { Time } from '../parts/values';

type Connection = Schemas['ConnectionOut'];

/** The way from the menu to the mappings. */
export function AllMappings() {
  const names = useNames();
  return (
    <OfConnections
      title="Mappings"
      about="What Brightpearl and a warehouse call differently: SKUs, bundles, shipping methods, locations. Each connection has its own."
      none="Each connection's mappings are found here, once there is one."
      part="/mappings"
      columns={[
        { title: 'Merchant', show: (one) => names.merchant(one.merchant), wide: true },
        { title: 'Store', show: (one) => one.store_name },
        { title: 'Warehouse', show: (one) => one.warehouse_name },
      ]}
    />
  );
}

/** The way from the menu to the census, with what each connection's says. */
export function AllCensus() {
  return (
    <OfConnections
      title="Census"
      about="Every order is looked for on both sides, by a part of the program that does not trust the rest of it. Each connection has its own."
      none="Where the orders of each connection are is found here, once there is one."
      part="/census"
      columns={[
        { title: 'Unaccounted', figure: true, show: (one) => <Unaccounted connection={one.id} /> },
        { title: 'Last ended', show: (one) => <LastEnded connection={one.id} /> },
      ]}
    />
  );
}

interface Props {
  title: string;
  about: string;
  none: string;
  /** Where the page of a connection stands, behind its own address. */
  part: string;
  columns: Column<Connection>[];
}

/** What each connection has a page of: with one connection that page itself, else the connections to choose from. */
function OfConnections({ title, about, none, part, columns }: Props) {
  const { administers } = useRights();
  return (
    <Loaded of={whole('/api/v1/connections')} page={{ title }}>
      {(connections) => {
        const [only, ...others] = connections;
        if (only && others.length === 0) return <Navigate to={`/connections/${only.id}${part}`} replace />;
        return (
          <Page title={title} about={about}>
            <Paper withBorder className="list">
              {only ? (
                <Rows<Connection>
                  label={`${title} of each connection`}
                  rows={connections}
                  id={(one) => one.id}
                  columns={[
                    { title: 'Connection', show: (one) => <To href={`/connections/${one.id}${part}`}>{one.name}</To> },
                    { title: 'State', show: (one) => <StateBadge state={one.state} /> },
                    ...columns,
                  ]}
                />
              ) : (
                <EmptyNote
                  title="Nothing is connected yet"
                  action={administers && <ToButton href="/connections/add">Add a connection</ToButton>}
                >
                  {none}
                </EmptyNote>
              )}
            </Paper>
          </Page>
        );
      }}
    </Loaded>
  );
}

function useCensus(connection: string) {
  return useQuery(reading('/api/v1/connections/{connection}/census', { path: { connection } })).data;
}

function Unaccounted({ connection }: { connection: string }) {
  return useCensus(connection)?.unaccounted ?? '–';
}

/** When the newest of its looks ended, of whatever extent. */
function LastEnded({ connection }: { connection: string }) {
  const ended = useCensus(connection)?.runs.flatMap(({ finished_at: at }) => at ?? []);
  return <Time at={ended?.sort().at(-1)} none="Not yet" />;
}
