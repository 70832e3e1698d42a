import { useMemo } from 'react';
import { paging, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { sentence } from '../api/problem';
import { useRights } from '../api/session';
import { StateBadge } from '../parts/badge';
import { useColumns, type ChosenColumn } from '../parts/columns';
import { ExportCsv } from '../parts/export';
import { FilterBar, beginning, useFilters } from '../parts/filters';
import { To, ToButton } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Page } from '../parts/page';
import { DataTable } from '../parts/table';
import { Cut, Time, words } from '../parts/values';
import { BulkActions } from './orders-bulk';
import { OrdersWorks } from './orders-work';

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
  const { connection: called, merchant: owner } = names;
  // Made once: rows are then drawn again only when something of theirs changes.
  const all = useMemo<ChosenColumn<Order>[]>(
    () => [
      { title: 'Order', show: (order) => <To href={`/orders/${order.id}`}>{order.number}</To>, width: 85 },
      { title: 'State', show: (order) => <StateBadge state={order.state} />, width: 130 },
      { title: 'Why', show: (order) => order.reason && <Cut twice>{sentence(order.reason)}</Cut> },
      { title: 'Reference', show: (order) => order.reference && <Cut>{order.reference}</Cut>, wide: true, width: 112 },
      { title: 'Ship to', show: (order) => <Cut twice>{order.ship_to}</Cut>, width: 175 },
      { title: 'Connection', show: (order) => <Cut>{called(order.connection)}</Cut>, wide: true, width: 122 },
      { title: 'Placed', show: (order) => <Time at={order.placed_at} />, width: 146 },
      { title: 'Merchant', show: (order) => <Cut>{owner(order.merchant)}</Cut>, width: 112, extra: true },
      { title: 'Imported', show: (order) => <Time at={order.imported_at} />, width: 146, extra: true },
      { title: 'State since', show: (order) => <Time at={order.changed_at} />, width: 146, extra: true },
    ],
    [called, owner],
  );
  const { columns, menu } = useColumns('orders', all);
  const filtered = Object.keys(filters).length > 0;
  return (
    <Page title="Orders" about="Those that were imported last come first." actions={<ExportCsv kind="orders" filter={filter} />}>
      <OrdersWorks />
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
        more={menu}
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
