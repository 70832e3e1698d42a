import { Text } from '@mantine/core';
import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { api, done, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { reread } from '../api/reread';
import { begin, forget, useWorks, type Work } from '../api/works';
import { StateBadge } from '../parts/badge';
import { Reveal } from '../parts/reveal';
import { Rows } from '../parts/table';
import { Left, Works } from '../parts/works';

type One = Schemas['BulkOrderOut'];

const LIST = 'orders';
/** So many orders go with one request: how far it has come is seen after each. */
const SLICE = 100;

/** What is done to several orders. */
interface Deed {
  action: Schemas['BulkAction'];
  label: string;
  reason: string;
}

interface Told {
  deed: Deed;
  orders: One[];
  /** Ids of those that were not sent yet. */
  left: string[];
}

export type OrdersWork = Work<Told>;

async function carried(token: string): Promise<One[]> {
  return (await done(api.POST('/api/v1/orders/bulk', { body: { token } }))).orders;
}

/** Some of them, which are looked at anew: it is done to those that it still would happen to. */
async function some({ action, reason }: Deed, orders: string[]): Promise<One[]> {
  const look = await done(api.POST('/api/v1/orders/bulk/preview', { body: { action, orders, reason } }));
  const stay = look.orders.filter((order) => order.refused);
  return look.would > 0 ? [...(await carried(look.token)), ...stay] : stay;
}

interface Wanted {
  deed: Deed;
  /** Ids. */
  orders: string[];
  /** Of the look at all of them, where they go with one request: then exactly what was shown is carried out. */
  token?: string | undefined;
  /** What became of others that it was done to already. */
  before?: One[];
}

/** Begins to do something to several orders. The id of the work. */
export function carryOut(client: QueryClient, { deed, orders, token, before = [] }: Wanted): number {
  const total = before.length + orders.length;
  const title = `${deed.label}: ${total === 1 ? '1 order' : `${total} orders`}`;
  const told = { deed, orders: before, left: orders };
  return begin<Told>({ list: LIST, title, total, through: before.length, told }, async (came) => {
    let became = before;
    try {
      for (let from = 0; from < orders.length; from += SLICE) {
        const isAll = orders.length <= SLICE && token !== undefined;
        became = [...became, ...(isAll ? await carried(token) : await some(deed, orders.slice(from, from + SLICE)))];
        const left = orders.slice(from + SLICE);
        came(total - left.length, { deed, orders: became, left });
      }
    } finally {
      void reread(client);
    }
  });
}

export function useOrdersWork(id: number | null): OrdersWork | undefined {
  return useWorks<Told>(LIST).find((work) => work.id === id);
}

/** What is done to several orders, above their list. */
export function OrdersWorks() {
  return (
    <Works<Told>
      list={LIST}
      told={(work) => (
        <>
          <Became work={work} />
          {work.told.orders.length > 0 && (
            <div>
              <Reveal show="Show each order" hide="Hide each order" about={work.title}>
                <Each orders={work.told.orders} />
              </Reveal>
            </div>
          )}
        </>
      )}
    />
  );
}

/** What has become of them; where it was broken off, what it was not done to yet, and the button that goes on. */
export function Became({ work, went }: { work: OrdersWork; went?: (id: number) => void }) {
  const client = useQueryClient();
  const { deed, orders, left } = work.told;
  const goOn = () => {
    forget(work.id);
    const id = carryOut(client, { deed, orders: left, before: orders });
    went?.(id);
  };
  return (
    <>
      <Count what="Done to" orders={orders} />
      <Left work={work} count={left.length} called="order" goOn={goOn} />
    </>
  );
}

/** To how many it is done, and how many stay as they are. */
export function Count({ what, orders }: { what: string; orders: One[] }) {
  const refused = orders.filter((order) => order.refused).length;
  return (
    <Text size="sm" fw={600}>
      {what} {orders.length - refused}
      {refused > 0 ? `; ${refused} ${refused === 1 ? 'stays' : 'stay'} as ${refused === 1 ? 'it is' : 'they are'}` : ''}.
    </Text>
  );
}

/** So many are listed; the figures above count all of them. */
const SHOWN = 50;

/** What becomes of each; those that are left as they are come first: they are what somebody has to look at. */
export function Each({ orders }: { orders: One[] }) {
  const sorted = [...orders].sort((before, after) => Number(Boolean(after.refused)) - Number(Boolean(before.refused)));
  return (
    <>
      <Rows
        label="Order by order"
        rows={sorted.slice(0, SHOWN)}
        id={(order) => order.order}
        columns={[
          { title: 'Order', show: (order) => order.number ?? order.order },
          { title: 'State', show: (order) => order.state && <StateBadge state={order.state} /> },
          { title: 'What happens', show: (order) => <Text size="sm">{sentence(order.outcome ?? (order.refused ? `Nothing: ${order.refused}` : ''))}</Text> },
        ]}
      />
      {sorted.length > SHOWN && (
        <Text size="sm" className="quiet">
          And {sorted.length - SHOWN} more.
        </Text>
      )}
    </>
  );
}
