import { Text } from '@mantine/core';
import { paging, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { useRights } from '../api/session';
import { StateBadge } from '../parts/badge';
import { FilterBar, useFilters } from '../parts/filters';
import { To, ToButton } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Page } from '../parts/page';
import { DataTable, type Column } from '../parts/table';
import { Time, words } from '../parts/values';
import { BulkActions } from './orders-bulk';

type Order = Schemas['OrderOut'];

const STATES = [
  'new',
  'held',
  'queued',
  'open',
  'partly_shipped',
  'shipped',
  'closed',
  'skipped',
  'cancelled',
  'error',
  'archived',
];

/** The first moment of a day, as the person's clock has it. */
function beginning(date: string | undefined): string | undefined {
  const at = date ? new Date(`${date}T00:00`) : undefined;
  return at && !Number.isNaN(at.getTime()) ? at.toISOString() : undefined;
}

/** Every order, with filters, search, saved views, and what can be done with several. */
export function Orders() {
  const [filters] = useFilters();
  const names = useNames();
  const { decides } = useRights();
  const { state, text, connection } = filters;
  const filter = { state, text, connection, placed_from: beginning(filters.from), placed_to: beginning(filters.to) };
  const query = paging('/api/v1/orders', { query: { ...filter, limit: 50 } });
  const columns: Column<Order>[] = [
    { title: 'Order', show: (order) => <To href={`/orders/${order.id}`}>{order.number}</To> },
    { title: 'State', show: (order) => <StateBadge state={order.state} /> },
    { title: 'Why', show: (order) => order.reason && <Text size="sm" lineClamp={2} maw={320}>{order.reason}</Text> },
    { title: 'Reference', show: (order) => order.reference, wide: true },
    { title: 'Ship to', show: (order) => <Text size="sm" lineClamp={1} maw={260}>{order.ship_to}</Text> },
    { title: 'Connection', show: (order) => names.connection(order.connection), wide: true },
    { title: 'Placed', show: (order) => <Time at={order.placed_at} /> },
    { title: 'Changed', show: (order) => <Time at={order.changed_at} />, wide: true },
  ];
  const filtered = Object.keys(filters).length > 0;
  return (
    <Page title="Orders">
      <FilterBar
        list="orders"
        search="Order, customer, SKU, tracking"
        fields={[
          { name: 'state', label: 'State', choices: STATES.map((value) => ({ value, label: words(value) })) },
          { name: 'connection', label: 'Connection', choices: names.connections },
          { name: 'from', label: 'Placed from' },
          { name: 'to', label: 'Placed before' },
        ]}
      />
      <DataTable
        of={query}
        label="Orders"
        columns={columns}
        id={(order) => order.id}
        called={(order) => `order ${order.number}`}
        empty={
          filtered ? (
            <EmptyNote title="No order is like this">Take a filter away, or search for something else.</EmptyNote>
          ) : (
            <EmptyNote title="No orders yet" action={<ToButton href="/connections">To the connections</ToButton>}>
              Orders appear here as soon as a connection is on and Brightpearl has some with the statuses chosen there.
            </EmptyNote>
          )
        }
        {...(decides
          ? { bulk: (chosen: Order[], clear: () => void) => <BulkActions orders={chosen} filter={filter} clear={clear} /> }
          : {})}
      />
    </Page>
  );
}
