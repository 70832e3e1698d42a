import { Button, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { api, done, paging, reading, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { sentence } from '../api/problem';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { useColumns, type ChosenColumn } from '../parts/columns';
import { ExportCsv } from '../parts/export';
import { Facts } from '../parts/facts';
import { FilterBar, useFilters } from '../parts/filters';
import { To, ToButton } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { DataTable, Rows } from '../parts/table';
import { carriage, Code, Cut, Quantity, Time } from '../parts/values';
import { Works } from '../parts/works';
import { Became, doToEach, EachDialog, type Deed, type Failure, type Told as Retried } from './one-by-one';

type Shipment = Schemas['ShipmentOut'];

/** What the filter by what Brightpearl knows asks the API for. */
const TOLD: Record<string, { confirmed?: boolean; needs_person?: boolean }> = {
  true: { confirmed: true },
  false: { confirmed: false },
  stopped: { needs_person: true },
};

/** Has the next step of several decided again. */
const RETRY: Deed = {
  list: 'shipments',
  called: 'shipment',
  run: (shipment) => done(api.POST('/api/v1/shipments/{shipment}/retry', { params: { path: { shipment } } })),
  said: (count) => `${count} ${count === 1 ? 'is' : 'are'} looked at anew.`,
};

const named = ({ id, called }: Failure) => <To href={`/shipments/${id}`}>{called ?? id}</To>;

function RetryShipments({ shipments, clear }: { shipments: Shipment[]; clear: () => void }) {
  const client = useQueryClient();
  // The list may be read anew while the dialog is open; it is about those that were chosen.
  const [asked, setAsked] = useState<Shipment[] | null>(null);
  const stopped = shipments.filter((one) => one.problem && one.order);
  const others = shipments.length - (asked ?? stopped).length;
  return (
    <>
      <Button size="xs" variant="default" disabled={stopped.length === 0} onClick={() => setAsked(stopped)}>
        Try again
      </Button>
      {asked && (
        <EachDialog
          title="Try again"
          label="Try again"
          explains={
            `${asked.length === 1 ? 'One shipment is' : `${asked.length} shipments are`} looked at anew, and Brightpearl is told what it ` +
            `does not know yet.${others > 0 ? ' The others need nobody, or belong to no order that is known.' : ''}`
          }
          deed={RETRY}
          named={named}
          start={() =>
            doToEach(client, RETRY, {
              title: `Try again: ${asked.length === 1 ? '1 shipment' : `${asked.length} shipments`}`,
              pieces: asked.map(({ id, reference }) => ({ id, called: reference })),
            })
          }
          close={(begun) => {
            setAsked(null);
            if (begun) clear();
          }}
        />
      )}
    </>
  );
}

function Told({ shipment }: { shipment: Shipment }) {
  if (shipment.problem) return <StateBadge state="error" label="Needs a person" />;
  return shipment.confirmed_at ? (
    <StateBadge state="shipped" label="Brightpearl knows" />
  ) : (
    <StateBadge state="open" label="On its way to Brightpearl" />
  );
}

/** What left the warehouses. */
export function Shipments() {
  const [filters] = useFilters();
  const names = useNames();
  const { decides } = useRights();
  const { text, connection, confirmed } = filters;
  const filter = { text, connection, ...TOLD[confirmed ?? ''] };
  const { connection: called } = names;
  const all = useMemo<ChosenColumn<Shipment>[]>(
    () => [
      { title: 'Shipment', show: (one) => <To href={`/shipments/${one.id}`}>{one.reference}</To>, width: 115 },
      { title: 'Order', show: (one) => (one.order ? <To href={`/orders/${one.order}`}>{one.key}</To> : one.key) },
      { title: 'Told', show: (one) => <Told shipment={one} />, width: 205 },
      { title: 'Carrier', show: (one) => <Cut>{carriage(one)}</Cut>, width: 110 },
      { title: 'Tracking', show: (one) => one.tracking.length > 0 && <span title={one.tracking.join(', ')}><Code>{one.tracking.join(', ')}</Code></span> },
      { title: 'Connection', show: (one) => <Cut>{called(one.connection)}</Cut>, wide: true, width: 122 },
      { title: 'Left', show: (one) => <Time at={one.shipped_at} />, width: 146 },
      { title: 'Why', show: (one) => one.problem && <Cut twice>{sentence(one.problem)}</Cut>, extra: true },
      { title: 'Brightpearl knew', show: (one) => <Time at={one.confirmed_at} />, width: 146, extra: true },
    ],
    [called],
  );
  const { columns, menu } = useColumns('shipments', all);
  return (
    <Page title="Shipments" actions={<ExportCsv kind="shipments" filter={filter} />}>
      <Works<Retried> list={RETRY.list} told={(work) => <Became work={work} deed={RETRY} named={named} />} />
      <FilterBar
        list="shipments"
        search="Reference, order, tracking number"
        fields={[
          { name: 'connection', label: 'Connection', choices: names.connections },
          {
            name: 'confirmed',
            label: 'Brightpearl',
            choices: [
              { value: 'true', label: 'Knows everything' },
              { value: 'false', label: 'Not yet' },
              { value: 'stopped', label: 'Needs a person' },
            ],
          },
        ]}
        more={menu}
      />
      <DataTable<Shipment>
        of={paging('/api/v1/shipments', { query: { ...filter, limit: 50 } })}
        long
        label="Shipments"
        id={(shipment) => shipment.id}
        called={(shipment) => `shipment ${shipment.reference}`}
        columns={columns}
        {...(decides ? { bulk: (chosen: Shipment[], clear: () => void) => <RetryShipments shipments={chosen} clear={clear} /> } : {})}
        empty={
          Object.keys(filters).length > 0 ? (
            <EmptyNote title="No shipment is like this">Take a filter away, or search for something else.</EmptyNote>
          ) : (
            <EmptyNote title="No shipments yet" action={<ToButton href="/orders">To the orders</ToButton>}>
              Shipments appear here as soon as a warehouse reports that something has left, with their tracking numbers and what
              Brightpearl was told.
            </EmptyNote>
          )
        }
      />
    </Page>
  );
}

/** One shipment: its boxes, and what Brightpearl was told of it. */
export function ShipmentPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const names = useNames();
  const { decides } = useRights();
  const params = { path: { shipment: id } };
  return (
    <Loaded
      of={reading('/api/v1/shipments/{shipment}', params)}
      page={{ title: 'Shipment', back: { href: '/shipments', title: 'Shipments' } }}
    >
      {(shipment) => (
        <Page
          title={`Shipment ${shipment.reference}`}
          back={{ href: '/shipments', title: 'Shipments' }}
          badge={<Told shipment={shipment} />}
          actions={
            decides &&
            shipment.problem && (
              <Action
                label="Try again"
                explains="It is looked at anew, and Brightpearl is told what it does not know yet."
                run={() => done(api.POST('/api/v1/shipments/{shipment}/retry', { params }))}
              />
            )
          }
        >
          {shipment.problem && <Text fw={600}>{shipment.problem}</Text>}
          <Section title="About it">
            <Facts
              of={[
                ['Order', shipment.order && <To href={`/orders/${shipment.order}`}>{shipment.key}</To>],
                ['Carrier', carriage(shipment)],
                ['Left', <Time key="l" at={shipment.shipped_at} />],
                ['Brightpearl knew everything', <Time key="b" at={shipment.confirmed_at} none="Not yet" />],
                ['Last of its order', shipment.is_final ? 'Yes: nothing more will leave' : 'The warehouse has not said so'],
                ['Connection', <To key="c" href={`/connections/${shipment.connection}`}>{names.connection(shipment.connection)}</To>],
              ]}
            />
          </Section>
          {shipment.boxes.map((box, index) => (
            <Section key={box.tracking ?? index} title={`Box ${index + 1}`}>
              <Facts of={[['Tracking', box.tracking && <Code>{box.tracking}</Code>], ['Weight', box.weight && `${box.weight} kg`]]} />
              <Inside label={`Box ${index + 1}`} lines={box.lines} />
            </Section>
          ))}
          {shipment.loose.length > 0 && (
            <Section title="Not in a box">
              <Inside label="Not in a box" lines={shipment.loose} />
            </Section>
          )}
          <Section title="Steps">
            <Stack gap={6}>
              {shipment.effects.map((effect) => (
                <div key={effect.id}>
                  <To href={`/effects/${effect.id}`} size="sm">
                    {effect.title}
                  </To>{' '}
                  <StateBadge state={effect.state} />
                </div>
              ))}
            </Stack>
          </Section>
        </Page>
      )}
    </Loaded>
  );
}

function Inside({ label, lines }: { label: string; lines: Schemas['BoxLineOut'][] }) {
  return (
    <Rows
      label={label}
      rows={lines}
      id={(line) => `${line.line ?? ''} ${line.sku} ${line.lot ?? ''}`}
      columns={[
        { title: 'SKU', show: (line) => <Code>{line.sku}</Code> },
        { title: 'Units', figure: true, show: (line) => <Quantity of={line.quantity} /> },
        { title: 'Lot', show: (line) => line.lot, wide: true },
        { title: 'Serial numbers', show: (line) => line.serials?.join(', '), wide: true },
      ]}
    />
  );
}
