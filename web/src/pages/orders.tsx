import { useMemo } from 'react';
import { paging, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { useRights } from '../api/session';
import { StateBadge } from '../parts/badge';
import { FilterBar, beginning, useFilters } from '../parts/filters';
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

const idOf = (order: Order) => order.id;
const calledOf = (order: Order) => `order ${order.number}`;

/** Every order, with filters, search, saved views, and what can be done with several. */
export function Orders() {
  const [filters] = useFilters();
  const names = useNames();
  const { decides } = useRights();
  const { state, text, merchant, connection } = filters;
  const filter = { state, text, merchant, connection, placed_from: beginning(filters.from), placed_to: beginning(filters.to) };
  const query = paging('/api/v1/orders', { query: { ...filter, limit: 100 } });
  const called = names.connection;
  // Made once: rows are then drawn again only when something of theirs changes.
  const columns = useMemo<Column<Order>[]>(
    () => [
      { title: 'Order', show: (order) => <To href={`/orders/${order.id}`}>{order.number}</To>, width: 85 },
      { title: 'State', show: (order) => <StateBadge state={order.state} />, width: 136 },
      { title: 'Why', show: (order) => order.reason && <span title={order.reason}>{order.reason}</span> },
      { title: 'Reference', show: (order) => order.reference && <span className="breaks">{order.reference}</span>, wide: true, width: 95 },
      { title: 'Ship to', show: (order) => <span title={order.ship_to}>{order.ship_to}</span>, width: 160 },
      { title: 'Connection', show: (order) => called(order.connection), wide: true, width: 110 },
      { title: 'Placed', show: (order) => <Time at={order.placed_at} />, width: 135 },
      { title: 'Changed', show: (order) => <Time at={order.changed_at} />, wide: true, width: 135 },
    ],
    [called],
  );
  const filtered = Object.keys(filters).length > 0;
  return (
    <Page title="Orders">
      <FilterBar
        list="orders"
        search="Order, name, SKU, tracking"
        fields={[
          { name: 'state', label: 'State', several: true, choices: STATES.map((value) => ({ value, label: words(value) })) },
          // With one there is nothing to choose.
          ...(names.merchants.length > 1 ? [{ name: 'merchant', label: 'Merchant', choices: names.merchants }] : []),
          { name: 'connection', label: 'Connection', choices: names.connections },
          { name: 'from', label: 'Placed from' },
          { name: 'to', label: 'Placed before' },
        ]}
      />
      <DataTable
        of={query}
        long
        label="Orders"
        columns={columns}
        id={idOf}
        called={calledOf}
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
