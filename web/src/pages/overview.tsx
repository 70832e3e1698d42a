import { Grid, Group, Paper, SimpleGrid, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { paging, reading, whole, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { useRights } from '../api/session';
import { StateBadge } from '../parts/badge';
import { To, ToButton } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { DataTable } from '../parts/table';
import { Time } from '../parts/values';
import { Allowance, Flow, Latency, Needs } from './overview-figures';
import { IssueList } from './issue-list';

type Connection = Schemas['ConnectionOut'];

/** What one looks at in the morning: what needs a person, whether everything runs, and what came in last. */
export function Overview() {
  const { administers } = useRights();
  return (
    <Page title="Overview">
      <Loaded of={whole('/api/v1/connections')}>
        {(connections) =>
          connections.length === 0 ? (
            <Paper withBorder>
              <EmptyNote
                title="Nothing is connected yet"
                action={administers && <ToButton href="/connections/add">Add a connection</ToButton>}
              >
                A connection joins a Brightpearl account and a warehouse. It takes about ten minutes, and nothing is sent
                before you switch it on.
              </EmptyNote>
            </Paper>
          ) : (
            <Stack>
              <Loaded of={{ ...reading('/api/v1/overview'), refetchInterval: 5_000 }}>
                {(overview) => <Needs of={overview} unaccountedHref={censusOf(connections)} />}
              </Loaded>
              <Grid gap="md">
                <Grid.Col span={{ base: 12, md: 7 }}>
                  <Stack>
                    <Section title="What needs you" actions={<To href="/issues" size="sm">All issues</To>}>
                      <IssueList limit={8} />
                    </Section>
                    <LastOrders />
                  </Stack>
                </Grid.Col>
                <Grid.Col span={{ base: 12, md: 5 }}>
                  <Stack>
                    <Figures />
                    {connections.map((connection) => (
                      <OneConnection key={connection.id} connection={connection} />
                    ))}
                  </Stack>
                </Grid.Col>
              </Grid>
            </Stack>
          )
        }
      </Loaded>
    </Page>
  );
}

function Figures() {
  const { data } = useQuery(reading('/api/v1/overview'));
  if (!data) return null;
  return (
    <>
      <Flow of={data} />
      <Latency of={data} />
      <Allowance of={data} />
    </>
  );
}

/** The census to look at: of the only connection, else they are picked from. */
function censusOf(connections: Connection[]): string {
  const [first, ...others] = connections;
  return first && others.length === 0 ? `/connections/${first.id}/census` : '/census';
}

function OneConnection({ connection }: { connection: Connection }) {
  const census = useQuery(
    reading('/api/v1/connections/{connection}/census', { path: { connection: connection.id } }),
  );
  const unaccounted = census.data?.unaccounted;
  return (
    <Section
      title={connection.name}
      actions={<StateBadge state={connection.state} />}
      about={`${connection.store_name} to ${connection.warehouse_name}`}
    >
      <SimpleGrid cols={2}>
        <div>
          <Text size="sm" className="quiet">
            Unaccounted
          </Text>
          <Text size="xl" fw={700} className="figure">
            {unaccounted ?? '–'}
          </Text>
        </div>
        <div>
          <Text size="sm" className="quiet">
            Orders last looked for
          </Text>
          <Text size="sm">
            <Time at={connection.channels.find((channel) => channel.channel === 'orders')?.succeeded_at} none="Never" />
          </Text>
        </div>
      </SimpleGrid>
      {connection.channels
        .filter((channel) => channel.problem)
        .map((channel) => (
          <Text key={channel.channel} size="sm">
            <b>{channel.channel}:</b> {channel.problem}
          </Text>
        ))}
      <Group gap="md">
        <To href={`/connections/${connection.id}`} size="sm">
          Open
        </To>
        <To href={`/connections/${connection.id}/census`} size="sm">
          Census
        </To>
      </Group>
    </Section>
  );
}

function LastOrders() {
  const names = useNames();
  return (
    <Section title="Newest orders" actions={<To href="/orders" size="sm">All orders</To>}>
      <DataTable<Schemas['OrderOut']>
        of={paging('/api/v1/orders', { query: { limit: 8 } })}
        label="Newest orders"
        id={(order) => order.id}
        columns={[
          { title: 'Order', show: (order) => <To href={`/orders/${order.id}`}>{order.number}</To> },
          { title: 'State', show: (order) => <StateBadge state={order.state} /> },
          { title: 'Connection', show: (order) => names.connection(order.connection), wide: true },
          { title: 'Imported', show: (order) => <Time at={order.imported_at} /> },
        ]}
        empty={
          <EmptyNote title="No orders yet" action={<ToButton href="/connections" variant="default">To the connections</ToButton>}>
            The newest appear here by themselves, once a connection is on and Brightpearl has orders with the statuses chosen there.
          </EmptyNote>
        }
      />
    </Section>
  );
}
