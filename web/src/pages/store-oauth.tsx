import { Alert, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, done, reading } from '../api/client';
import { sentence } from '../api/problem';
import { Action } from '../parts/act';
import { Facts } from '../parts/facts';
import { ProblemNote } from '../parts/notes';
import { Time } from '../parts/values';

const STATES: Record<string, { title: string; colour: string }> = {
  none: { title: 'Not connected at Brightpearl', colour: 'yellow' },
  granted: { title: 'Connected at Brightpearl', colour: 'teal' },
  lost: { title: 'The access was lost', colour: 'red' },
};

/** What access a store that signs in by OAuth was granted; connects and disconnects it. */
export function StoreOauth({ store, name }: { store: string; name: string }) {
  const params = { path: { store } };
  const { data: grant, error } = useQuery(reading('/api/v1/stores/{store}/oauth', params));
  if (error) return <ProblemNote error={error} />;
  if (!grant) return null;
  const state = STATES[grant.state] ?? { title: grant.state, colour: 'gray' };
  const connect = async () => {
    const { address } = await done(api.POST('/api/v1/stores/{store}/oauth', { params }));
    location.assign(address);
  };
  return (
    <Alert color={state.colour} variant="light" title={state.title}>
      <Stack gap="xs">
        <Facts
          of={[
            ['Since', grant.granted_at && <Time at={grant.granted_at} />],
            ['Why', grant.problem && sentence(grant.problem)],
          ]}
        />
        {grant.next && <Text size="sm">{sentence(grant.next)}</Text>}
        <Group gap="xs">
          <Action
            size="xs"
            label={grant.state === 'none' ? 'Connect at Brightpearl' : 'Connect anew'}
            explains="Brightpearl opens in this window and asks for consent; then you are back here. What was changed on this page and not saved is lost."
            confirm="To Brightpearl"
            run={connect}
          />
          {grant.state !== 'none' && (
            <Action
              size="xs"
              label="Disconnect"
              about={name}
              danger
              explains={`Millrace forgets its access to ${name}: its connections pause until it is connected again. Where the app is to lose its access altogether, remove it at Brightpearl as well.`}
              run={() => done(api.DELETE('/api/v1/stores/{store}/oauth', { params }))}
            />
          )}
        </Group>
      </Stack>
    </Alert>
  );
}
