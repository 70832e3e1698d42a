import { Button, Group, List, Modal, Stack, Switch, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, reading, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { useAct } from '../parts/act';
import { To, ToButton } from '../parts/link';
import { ProblemNote, Waiting } from '../parts/notes';
import { runs, Time, words } from '../parts/values';

type Connection = Schemas['ConnectionOut'];
type Detail = Schemas['ConnectionDetailOut'];

/** The program's words for what is chosen here. */
const NO_CHANNEL = 'none of its channels is switched on';

type Channels = Record<string, boolean>;

/** Which channels are on; where none is yet, those that nothing needs to be decided for are proposed. */
function proposed({ channels }: Connection): Channels {
  const none = channels.every((channel) => !channel.enabled);
  return Object.fromEntries(channels.map(({ channel, enabled }) => [channel, none ? channel !== 'stock' : enabled]));
}

/** What switching on will do, read from what is chosen for the connection. */
function plan(connection: Detail, on: Channels): string[] {
  const { settings, channels } = connection;
  const is = (name: string) => {
    const found = channels.find((channel) => channel.channel === name);
    return found && { ...found, enabled: on[name] ?? false };
  };
  const orders = is('orders');
  const stock = is('stock');
  const shipments = is('shipments');
  const from = settings.placed_from ? `placed from ${settings.placed_from.slice(0, 10)} on` : 'however old they are';
  return [
    orders?.enabled
      ? `Orders with the chosen statuses, ${from}, are looked for ${runs(orders)} and sent to ${connection.warehouse_name}.`
      : 'Orders: the channel is off, so none is imported.',
    shipments?.enabled
      ? `Shipments are read ${runs(shipments)}; tracking and the shipped event are written to Brightpearl.`
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
  const [on, setOn] = useState<Channels>({});
  const switchOn = async () => {
    for (const { channel, enabled } of connection.channels) {
      const wanted = on[channel] ?? false;
      if (wanted !== enabled) {
        const path = { connection: connection.id, channel };
        await done(api.PUT('/api/v1/connections/{connection}/channels/{channel}', { params: { path }, body: { enabled: wanted } }));
      }
    }
    return done(api.POST('/api/v1/connections/{connection}/enable', { params }));
  };
  const act = useAct(
    () => (connection.enabled ? done(api.POST('/api/v1/connections/{connection}/disable', { params })) : switchOn()),
    () => {
      if (connection.enabled) close();
      else setSince(new Date(Date.now() - 60_000).toISOString());
    },
  );
  const ask = () => {
    act.reset();
    setSince(null);
    setOn(proposed(connection));
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
          <WhatHappens connection={connection.id} on={on} change={setOn} />
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

function WhatHappens({ connection, on, change }: { connection: string; on: Channels; change: (on: Channels) => void }) {
  const query = useQuery(reading('/api/v1/connections/{connection}', { path: { connection } }));
  if (query.error) return <ProblemNote error={query.error} />;
  if (!query.data) return <Waiting />;
  const { problems, warnings, channels } = query.data;
  // What is said of channels is seen here, and chosen.
  const notes = [...problems, ...warnings].filter((line) => line !== NO_CHANNEL);
  return (
    <>
      <Group gap="lg">
        {channels.map(({ channel }) => (
          <Switch
            key={channel}
            label={words(channel)}
            checked={on[channel] ?? false}
            onChange={(event) => change({ ...on, [channel]: event.currentTarget.checked })}
          />
        ))}
      </Group>
      <Text size="sm">What will happen:</Text>
      <List size="sm" spacing="xs">
        {plan(query.data, on).map((line) => (
          <List.Item key={line}>{line}</List.Item>
        ))}
      </List>
      {on.orders && <HowMany connection={connection} />}
      {notes.map((line) => (
        <Text key={line} size="sm" fw={600}>
          {sentence(line)}
        </Text>
      ))}
    </>
  );
}

/** So many of the newest pre-flights are looked through for one that has ended. */
const LOOKED = 20;

/** How many orders will go, as far as the newest pre-flight that has ended says; or that nobody has looked. */
function HowMany({ connection }: { connection: string }) {
  const path = { connection };
  const query = useQuery(reading('/api/v1/connections/{connection}/preflight', { path, query: { limit: LOOKED } }));
  if (query.error) return <ProblemNote error={query.error} />;
  if (!query.data) return <Waiting />;
  const run = query.data.items.find((one) => one.state === 'finished');
  const here = `/connections/${connection}/preflight`;
  if (!run) {
    return (
      <Text size="sm" fw={600}>
        How many orders will go is not known: no pre-flight has looked at them to its end.{' '}
        <To href={here} underline="always">
          Run one first
        </To>
      </Text>
    );
  }
  const { days, orders, through, stuck } = run;
  const daily = Math.round(through / Math.max(1, days));
  return (
    <Text size="sm">
      How many will go, by the pre-flight of <Time at={run.ended_at ?? run.wanted_at} />:{' '}
      {orders === 0 ? 'no order came' : `of ${orders === 1 ? '1 order' : `${orders} orders`} that came`} into Brightpearl in{' '}
      {days === 1 ? 'one day' : `${days} days`}
      {orders > 0 && (
        <>
          , <b>{through} would have gone straight to the warehouse</b>
          {daily > 0 && ` (about ${daily} a day)`}
          {stuck > 0 && ` and ${stuck} would have stood still until something was mended`}
        </>
      )}
      .{' '}
      <To href={`${here}?run=${run.id}`} underline="always">
        Look at it, or run another
      </To>
    </Text>
  );
}
