import { Grid, Stack, Text } from '@mantine/core';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { reading, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { useRights } from '../api/session';
import { StateBadge } from '../parts/badge';
import { Facts } from '../parts/facts';
import { To } from '../parts/link';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { Timeline } from '../parts/timeline';
import { carriage, Code, Money, Quantity, Time, Wanted, words } from '../parts/values';
import { Way } from '../parts/way';
import { Explanation } from './explanation';
import { MethodName } from './method-name';
import { OrderEdit } from './order-edit';
import { OrderEdits } from './order-edits';
import { deedOf } from './order-history';
import type { Parts } from './order-parts';
import { Race } from './race';

type Detail = Schemas['OrderDetailOut'];
type Line = Schemas['LineOut'];

/** One order: what it is, where it is and why, and everything that was done for it. */
export function OrderPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  return (
    <Loaded
      of={reading('/api/v1/orders/{order}', { path: { order: id } })}
      page={{ title: 'Order', back: { href: '/orders', title: 'Orders' } }}
    >
      {(order) => <Shown order={order} />}
    </Loaded>
  );
}

function Shown({ order }: { order: Detail }) {
  const { decides } = useRights();
  // Held here: the dialog stays, with what was typed, when the order goes on meanwhile and is no longer to be edited.
  const [typed, setTyped] = useState<Partial<Parts> | null>(null);
  const isOffered = decides && order.explain.actions.some(({ action }) => action === 'edit');
  const titles = Object.fromEntries(order.effects.map((effect) => [effect.id, effect.title]));
  return (
    <Page
      title={`Order ${order.number}`}
      back={{ href: '/orders', title: 'Orders' }}
      badge={<StateBadge state={order.state} />}
    >
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 8 }}>
          <Stack>
            <Explanation explain={order.explain} order={order.id} connection={order.connection} edit={() => setTyped({})} />
            <OrderEdits order={order} edit={isOffered ? setTyped : undefined} />
            {order.requests.map((request) => request.race && <Race key={request.id} race={request.race} />)}
            <Section title="Its way">
              <Way order={order} />
            </Section>
            <Lines order={order} />
            <Shipments order={order} />
            <Section
              title="Timeline"
              about="Every attempt at changing something in Brightpearl or at the warehouse, with what was sent and answered, and what people did with the order here. Secrets are taken out."
            >
              {order.timeline.length === 0 && <Text size="sm">Nothing has been sent anywhere for this order yet.</Text>}
              {order.timeline.length + order.history.length > 0 && (
                <Timeline attempts={order.timeline} titles={titles} deeds={order.history.map(deedOf)} />
              )}
            </Section>
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4 }}>
          <Side order={order} />
        </Grid.Col>
      </Grid>
      {typed && <OrderEdit order={order} begin={typed} close={() => setTyped(null)} />}
    </Page>
  );
}

function Lines({ order }: { order: Detail }) {
  const hasPrices = order.lines.some((line) => line.unit_price);
  // What was asked of the warehouse, by Brightpearl's row.
  const asked = order.requests.filter((request) => !request.given_up).flatMap((request) => request.lines);
  return (
    <Section title="Lines">
      <Rows
        label="Lines of the order"
        rows={order.lines}
        id={(line) => String(line.row)}
        columns={[
          { title: 'SKU', show: (line) => <Code>{line.sku || '–'}</Code> },
          { title: 'Name', show: (line) => line.name },
          { title: 'Ordered', figure: true, show: (line) => <Quantity of={line.quantity} /> },
          { title: 'Shipped', figure: true, show: (line) => <Quantity of={line.shipped} /> },
          ...(hasPrices ? [{ title: 'Price of one', figure: true, show: (line: Line) => <Money of={line.unit_price} /> }] : []),
          {
            title: 'At the warehouse',
            show: (line) =>
              asked
                .filter((one) => one.row === line.row)
                .map((one) => (
                  <div key={`${one.line}-${one.sku}`}>
                    <Quantity of={one.quantity} /> × <Code>{one.sku}</Code>
                  </div>
                )),
          },
        ]}
      />
    </Section>
  );
}

function Shipments({ order }: { order: Detail }) {
  return (
    <Section title="Shipments">
      {order.shipments.length === 0 ? (
        <Text size="sm">Nothing has left the warehouse yet. Shipments appear here as soon as it reports them.</Text>
      ) : (
        <Rows
          label="Shipments of the order"
          rows={order.shipments}
          id={(shipment) => shipment.id}
          columns={[
            { title: 'Shipment', show: (shipment) => <To href={`/shipments/${shipment.id}`}>{shipment.reference}</To> },
            { title: 'Carrier', show: carriage },
            { title: 'Tracking', show: (shipment) => shipment.tracking.map((number) => <Code key={number} className="line">{number}</Code>) },
            { title: 'Left', show: (shipment) => <Time at={shipment.shipped_at} /> },
            { title: 'Brightpearl knows', show: (shipment) => shipment.problem ?? <Time at={shipment.confirmed_at} none="Not yet" /> },
          ]}
        />
      )}
    </Section>
  );
}

function Side({ order }: { order: Detail }) {
  const names = useNames();
  const to = order.deliver_to;
  const place = [to.name, to.company, to.line1, to.line2, `${to.postcode} ${to.city}`.trim(), to.state, to.country];
  return (
    <Stack>
      <Section title="About it">
        <Facts
          of={[
            ['Reference', order.reference],
            ['Connection', <To key="c" href={`/connections/${order.connection}`}>{names.connection(order.connection)}</To>],
            ['Merchant', names.merchant(order.merchant)],
            ['Placed', <Time key="p" at={order.placed_at} />],
            ['Imported', <Time key="i" at={order.imported_at} />],
            ['Changed', <Time key="s" at={order.changed_at} />],
          ]}
        />
      </Section>
      <Section title="Ship to">
        <Text size="sm" style={{ whiteSpace: 'pre-line' }}>
          {place.filter(Boolean).join('\n')}
        </Text>
        <Facts
          of={[
            ['Telephone', to.phone],
            ['E-mail', to.email],
            ['Shipping method', order.ship_method && <MethodName connection={order.connection} id={order.ship_method} />],
            ['Wanted by', order.deliver_on && <Wanted at={order.deliver_on} />],
            ['Notes', order.notes && <span className="lines">{order.notes}</span>],
          ]}
        />
      </Section>
      <Section title="Asked of the warehouse">
        {order.requests.length === 0 && <Text size="sm">Nothing yet.</Text>}
        {order.requests.map((request) => (
          <Facts
            key={request.id}
            of={[
              ['Key there', <Code key="k">{request.key}</Code>],
              ['Goods-out note', request.note],
              ['Given up', request.given_up && 'Yes: nothing will ship under this key'],
              ['Leaves', request.leaves_at && <Time at={request.leaves_at} />],
              ['Problem', request.problem],
            ]}
          />
        ))}
      </Section>
      <Section title="Steps">
        {order.effects.length === 0 && <Text size="sm">Nothing yet.</Text>}
        <Stack gap={6}>
          {order.effects.map((effect) => (
            <div key={effect.id}>
              <To href={`/effects/${effect.id}`} size="sm">
                {effect.title}
              </To>{' '}
              <StateBadge state={effect.state} label={words(effect.state)} />
            </div>
          ))}
        </Stack>
      </Section>
    </Stack>
  );
}
