import { Alert, Button, Group, List, SimpleGrid, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { api, done, reading, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { useRights } from '../api/session';
import { Action, complain, useAct } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { To, ToButton } from '../parts/link';
import { MendLacks, MendPause } from '../parts/mend';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { words } from '../parts/values';
import { ChannelCard } from './channel-card';
import { useSwitch } from './connection-switch';
import { CheckResult } from './check-result';

type Detail = Schemas['ConnectionDetailOut'];

/** One connection: its channels, and the way to its settings, mappings and census. */
export function ConnectionPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  return (
    <Loaded
      of={reading('/api/v1/connections/{connection}', { path: { connection: id } })}
      page={{ title: 'Connection', back: { href: '/connections', title: 'Connections' } }}
    >
      {(connection) => <Shown connection={connection} />}
    </Loaded>
  );
}

function Shown({ connection }: { connection: Detail }) {
  const { decides, administers } = useRights();
  const { ask, dialog, pending } = useSwitch(connection);
  const params = { path: { connection: connection.id } };
  const archived = connection.state === 'archived';
  const paused = Object.entries(connection.paused ?? {});
  return (
    <Page
      title={connection.name}
      back={{ href: '/connections', title: 'Connections' }}
      badge={<StateBadge state={connection.state} />}
      about={`${connection.store_name} (account ${connection.account}) to ${connection.warehouse_name}`}
      actions={
        <>
          {decides && !archived && (
            <Button loading={pending} variant={connection.enabled ? 'default' : 'filled'} onClick={ask}>
              {connection.enabled ? 'Switch off' : 'Switch on'}
            </Button>
          )}
          {administers && !archived && (
            <ToButton href={`/connections/${connection.id}/settings`} variant="default">
              Settings
            </ToButton>
          )}
          <ToButton href={`/connections/${connection.id}/mappings`} variant="default">
            Mappings
          </ToButton>
          {!archived && (
            <>
              <ToButton href={`/connections/${connection.id}/preflight`} variant="default">
                Pre-flight
              </ToButton>
              <ToButton href={`/connections/${connection.id}/census`} variant="default">
                Census
              </ToButton>
            </>
          )}
        </>
      }
    >
      {dialog}
      {archived && (
        <Alert color="gray" title="It was put away">
          <Text size="sm">
            What happened with it stays and can be read: its <To href={`/orders?connection=${connection.id}`}>orders</To> and{' '}
            <To href={`/shipments?connection=${connection.id}`}>shipments</To>. It cannot be switched on again; add another connection instead.
          </Text>
        </Alert>
      )}
      {paused.length > 0 && (
        <Alert color="red" title="It is paused: something must be mended before it goes on" role="alert">
          <List size="sm">
            {paused.map(([side, why]) => (
              <List.Item key={side}>
                <b>{words(side)}:</b> {why}
              </List.Item>
            ))}
          </List>
          {decides && !administers && (
            <Text size="sm" mt="sm">
              Who administers mends it in the settings of the connection.
            </Text>
          )}
          <Group gap="xs" mt="sm">
            <MendPause connection={connection} />
            {decides && (
              <Action
                size="xs"
                label="Go on: I have mended it"
                run={() => done(api.POST('/api/v1/connections/{connection}/resume', { params }))}
              />
            )}
          </Group>
        </Alert>
      )}
      {!archived && [...connection.problems, ...connection.warnings].length > 0 && (
        <Alert color="yellow" title="To be looked at">
          <List size="sm">
            {[...connection.problems, ...connection.warnings].map((line) => (
              <List.Item key={line}>{sentence(line)}</List.Item>
            ))}
          </List>
          <MendLacks connection={connection} />
        </Alert>
      )}
      <SimpleGrid cols={{ base: 1, md: 3 }}>
        {connection.channels.map((channel) => (
          <ChannelCard key={channel.channel} connection={connection} channel={channel} />
        ))}
      </SimpleGrid>
      {connection.enabled && (
        <To href={`/connections/${connection.id}/tour`} size="sm">
          Follow an order on its way
        </To>
      )}
      {decides && !archived && <Test connection={connection.id} />}
      {!archived && <Calls connection={connection} />}
    </Page>
  );
}

/** Tries both sides for real, without changing anything. */
function Test({ connection }: { connection: string }) {
  const test = useAct((trust: boolean) =>
    done(
      api.POST('/api/v1/connections/{connection}/test', {
        params: { path: { connection }, query: { trust_host_key: trust } },
      }),
    ),
  );
  return (
    <Section
      title="Test"
      about="Reads from both sides for real. No order and no stock is changed; where files are exchanged, one is written, renamed and removed again."
      actions={
        <Button size="xs" variant="default" loading={test.isPending} onClick={() => test.mutate(false, { onError: complain })}>
          Test both sides
        </Button>
      }
    >
      {test.data && (
        <Stack aria-live="polite">
          {test.data.problems.map((problem) => (
            <Text key={problem} size="sm" fw={600}>
              {problem}
            </Text>
          ))}
          <CheckResult check={test.data.store} trust={() => test.mutate(true)} />
          <CheckResult check={test.data.warehouse} trust={() => test.mutate(true)} />
        </Stack>
      )}
    </Section>
  );
}

/** Whether Brightpearl calls when something changes, so that nothing waits for the next look. */
function Calls({ connection }: { connection: Detail }) {
  const { administers } = useRights();
  const params = { path: { connection: connection.id } };
  const { data } = useQuery(reading('/api/v1/connections/{connection}/webhooks', params));
  if (!data) return null;
  return (
    <Section
      title={data.state === 'on' ? 'Brightpearl calls when something changes' : 'It polls only'}
      about={data.reason ? sentence(data.reason) : data.events.length > 0 && `Called for: ${data.events.join(', ')}.`}
      actions={
        administers &&
        data.state !== 'on' && (
          <Action
            size="xs"
            label="Ask Brightpearl to call"
            run={() => done(api.POST('/api/v1/connections/{connection}/webhooks', { params }))}
          />
        )
      }
    />
  );
}
