import { Button, Group, List, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, reading, type Schemas } from '../api/client';
import { useAct } from '../parts/act';
import { ToButton } from '../parts/link';
import { ProblemNote, Waiting } from '../parts/notes';
import { every } from '../parts/values';

type Connection = Schemas['ConnectionOut'];
type Detail = Schemas['ConnectionDetailOut'];

/** What switching on will do, read from what is chosen for the connection. */
function plan(connection: Detail): string[] {
  const { settings, channels } = connection;
  const is = (name: string) => channels.find((channel) => channel.channel === name);
  const orders = is('orders');
  const stock = is('stock');
  const shipments = is('shipments');
  const from = settings.placed_from ? `placed from ${settings.placed_from.slice(0, 10)} on` : 'however old they are';
  return [
    orders?.enabled
      ? `Orders with the chosen statuses, ${from}, are looked for ${every(orders.every_seconds)} and sent to ${connection.warehouse_name}.`
      : 'Orders: the channel is off, so none is imported.',
    shipments?.enabled
      ? `Shipments are read ${every(shipments.every_seconds)}; tracking and the shipped event are written to Brightpearl.`
      : 'Shipments: the channel is off, so Brightpearl is not told of any.',
    stock?.enabled
      ? settings.stock?.first_run === 'approve'
        ? 'Stock: the first run corrects Brightpearl at once.'
        : 'Stock: the first run is shown to you and changes nothing until you approve it.'
      : 'Stock: the channel is off, so nothing is corrected.',
  ];
}

/** Switches a connection on or off; says first what that will do. */
export function useSwitch(connection: Connection) {
  const [opened, { open, close }] = useDisclosure(false);
  const params = { path: { connection: connection.id } };
  // From when on the first order is looked for; clocks may differ a little.
  const [since, setSince] = useState<string | null>(null);
  const act = useAct(
    () =>
      connection.enabled
        ? done(api.POST('/api/v1/connections/{connection}/disable', { params }))
        : done(api.POST('/api/v1/connections/{connection}/enable', { params })),
    () => {
      if (connection.enabled) close();
      else setSince(new Date(Date.now() - 60_000).toISOString());
    },
  );
  const ask = () => {
    act.reset();
    setSince(null);
    open();
  };
  const dialog = opened && since ? (
    <Modal opened onClose={close} title={`${connection.name} is on`} centered>
      <Stack>
        <Text size="sm">
          It looks for orders by itself from now on. Follow the first one on its way to the warehouse and back: then you know
          that everything works.
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Close
          </Button>
          <ToButton href={`/connections/${connection.id}/tour?since=${since}`}>Follow the first order</ToButton>
        </Group>
      </Stack>
    </Modal>
  ) : opened && (
    <Modal
      opened
      onClose={close}
      title={connection.enabled ? `Switch ${connection.name} off` : `Switch ${connection.name} on`}
      centered
    >
      <Stack>
        {connection.enabled ? (
          <Text size="sm">Nothing is read or sent any more until you switch it on again. Nothing is lost meanwhile.</Text>
        ) : (
          <WhatHappens connection={connection.id} />
        )}
        {act.error && <ProblemNote error={act.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button loading={act.isPending} onClick={() => act.mutate()} color={connection.enabled ? 'red' : undefined}>
            {connection.enabled ? 'Switch off' : 'Switch on'}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
  return { ask, dialog, pending: act.isPending };
}

function WhatHappens({ connection }: { connection: string }) {
  const query = useQuery(reading('/api/v1/connections/{connection}', { path: { connection } }));
  if (query.error) return <ProblemNote error={query.error} />;
  if (!query.data) return <Waiting />;
  const { problems, warnings } = query.data;
  return (
    <>
      <Text size="sm">What will happen:</Text>
      <List size="sm" spacing="xs">
        {plan(query.data).map((line) => (
          <List.Item key={line}>{line}</List.Item>
        ))}
      </List>
      {[...problems, ...warnings].map((line) => (
        <Text key={line} size="sm" fw={600}>
          {line}
        </Text>
      ))}
    </>
  );
}
