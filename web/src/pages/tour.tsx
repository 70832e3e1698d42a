import { Alert, Group, Loader, Stack, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { paging, reading, whole, type Schemas } from '../api/client';
import { useRights } from '../api/session';
import { StateBadge } from '../parts/badge';
import { Facts } from '../parts/facts';
import { useFilters } from '../parts/filters';
import { hops, isProven } from '../parts/hops';
import { To, ToButton } from '../parts/link';
import { ProblemNote, Waiting } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { Time, took, told } from '../parts/values';
import { Way } from '../parts/way';
import { Explanation } from './explanation';
import { OrderEdit } from './order-edit';

type Connection = Schemas['ConnectionDetailOut'];
type Order = Schemas['OrderDetailOut'];

/** Follows the first order of a connection through every station, and says when the connection is proven. */
export function TourPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const [filters] = useFilters();
  return (
    <Loaded
      of={reading('/api/v1/connections/{connection}', { path: { connection: id } })}
      page={{ title: 'Connection', back: { href: '/connections', title: 'Connections' } }}
    >
      {(connection) => (
        <Page
          title={filters.since ? 'Follow the first order' : 'Follow an order on its way'}
          back={{ href: `/connections/${id}`, title: connection.name }}
          about="Watch one order go from Brightpearl to the warehouse and back. It moves by itself; you can leave and come back."
        >
          {filters.order ? (
            <Followed connection={connection} id={filters.order} />
          ) : (
            <First connection={connection} since={filters.since} />
          )}
        </Page>
      )}
    </Loaded>
  );
}

/** Left out on purpose, or put away: nothing to follow. */
const ASIDE = ['skipped', 'cancelled', 'archived'];

/** Waits for the first order since the connection was switched on, and stays with it. */
function First({ connection, since }: { connection: Connection; since: string | undefined }) {
  const [filters, setFilters] = useFilters();
  const orders = useInfiniteQuery(
    paging('/api/v1/orders', { query: { connection: connection.id, imported_from: since, limit: 200 } }),
  );
  const found = orders.data?.pages.flatMap((page) => page.items).filter((order) => !ASIDE.includes(order.state));
  // Newest first; without a moment to begin at, the newest is the one to look at.
  const first = (since ? found?.at(-1) : found?.[0])?.id;
  useEffect(() => {
    if (first) setFilters({ ...filters, order: first });
    // Only what was found decides: the address changes with it.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [first]);
  if (orders.error) return <ProblemNote error={orders.error} retry={() => void orders.refetch()} />;
  if (!orders.data || first) return <Waiting />;
  return <NoneYet connection={connection} />;
}

function NoneYet({ connection }: { connection: Connection }) {
  const channel = connection.channels.find((one) => one.channel === 'orders');
  return (
    <Section
      title="Waiting for the first order"
      actions={<Loader size="sm" aria-hidden />}
      about="It appears here as soon as Millrace finds one. To try it, give an order in Brightpearl one of the statuses that the connection imports from; its stock must be allocated."
    >
      <Facts
        of={[
          ['Connection', <StateBadge key="s" state={connection.state} />],
          ['Last looked', <Time key="t" at={channel?.succeeded_at} none="Not yet" />],
          ['It did', channel && told(channel.summary)],
          ['Problem', channel?.problem],
        ]}
      />
      {connection.state !== 'on' && (
        <Group>
          <ToButton href={`/connections/${connection.id}`}>To the connection, to switch it on</ToButton>
        </Group>
      )}
    </Section>
  );
}

function Followed({ connection, id }: { connection: Connection; id: string }) {
  // Live changes make it be read at once; the interval is for stations that no event tells of.
  const order = useQuery({ ...reading('/api/v1/orders/{order}', { path: { order: id } }), refetchInterval: 5_000 });
  const [edits, setEdits] = useState(false);
  if (!order.data) return order.error ? <ProblemNote error={order.error} retry={() => void order.refetch()} /> : <Waiting />;
  const needsPerson = ['held', 'error'].includes(order.data.state) || order.data.effects.some((effect) => effect.needs_person);
  return (
    <Stack>
      {isProven(order.data) && (
        <Alert color="teal" title="The connection is proven" role="status">
          <Stack gap="xs" align="flex-start">
            <Text size="sm">
              Order {order.data.number} went from Brightpearl to the warehouse and back in {took(span(order.data))}. What comes
              from now on goes the same way by itself. <Told />
            </Text>
            <Group gap="xs">
              <ToButton size="xs" href="/">
                To the overview
              </ToButton>
              <ToButton size="xs" variant="default" href="/alerts">
                Who shall be told
              </ToButton>
            </Group>
          </Stack>
        </Alert>
      )}
      {needsPerson && (
        <Explanation explain={order.data.explain} order={order.data.id} connection={connection.id} edit={() => setEdits(true)} />
      )}
      {edits && <OrderEdit order={order.data} begin={{}} close={() => setEdits(false)} />}
      <Section title={`Order ${order.data.number}`} actions={<StateBadge state={order.data.state} />}>
        <Way order={order.data} explains />
        <To href={`/orders/${order.data.id}`} size="sm">
          Everything about this order
        </To>
      </Section>
    </Stack>
  );
}

/** Who hears of what does not go by itself; only administrators may know. */
function Told() {
  const { administers } = useRights();
  const { data: channels } = useQuery({ ...whole('/api/v1/alerts/channels'), enabled: administers });
  if (!channels) return 'What needs a person stands on the overview.';
  if (channels.some((one) => one.enabled && !one.problem)) return 'You hear only of what needs you.';
  return 'What needs a person stands on the overview; nobody is told of it yet.';
}

function span(order: Order): number {
  const moments = hops(order).flatMap((hop) => (hop.at ? [Date.parse(hop.at)] : []));
  return Math.max(...moments) - Math.min(...moments);
}
