import { Button, Group, MultiSelect, NumberInput, Paper, SimpleGrid, Stack, Switch, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, filling, ifMatch, whole, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { Action, complain, say, useAct } from '../parts/act';
import { FormDialog } from '../parts/dialog';
import { useFaults } from '../parts/faults';
import { Loaded } from '../parts/page';
import { words, ZONE } from '../parts/values';

type Policy = Schemas['PolicyOut'];
type Given = Schemas['PolicyIn'];

/** What an alert can be about. */
const KINDS = [
  'sending_frozen',
  'connection_paused',
  'channel_failing',
  'channel_late',
  'order_error',
  'order_held',
  'exception',
  'effect',
  'effect_unknown',
  'unaccounted',
  'finding',
  'warehouse_silent',
  'delivery_failing',
  'stock_run',
  'backup_overdue',
];

const ONE_THAT_STAYS = 'default';

function givenOf({ id: _, quiet, merchant, ...rest }: Policy): Given {
  return { ...rest, ...(merchant ? { merchant } : {}), quiet: quiet ?? null };
}

/** Who is told what. The default policy is always there; others pick. */
export function Policies({ policies }: { policies: Policy[] }) {
  const [edited, setEdited] = useState<Policy | 'new' | null>(null);
  return (
    <Stack>
      {policies.map((policy) => (
        <OnePolicy key={policy.id} policy={policy} edit={() => setEdited(policy)} />
      ))}
      <Group>
        <Button variant="default" size="xs" onClick={() => setEdited('new')}>
          Add a policy
        </Button>
      </Group>
      {edited === 'new' && <PolicyDialog policy={null} close={() => setEdited(null)} />}
      {edited && edited !== 'new' && (
        <Loaded of={filling('/api/v1/alerts/policies/{policy}', { path: { policy: edited.id } })}>
          {(policy) => <PolicyDialog key={policy.id} policy={policy} close={() => setEdited(null)} />}
        </Loaded>
      )}
    </Stack>
  );
}

/** Names of alert channels and webhooks, by id: a policy may pick either. */
function usePlaces() {
  const { data: channels } = useQuery(whole('/api/v1/alerts/channels'));
  const { data: webhooks } = useQuery(whole('/api/v1/webhooks'));
  return [
    ...(channels ?? []).map(({ id, name }) => ({ value: id, label: name })),
    ...(webhooks ?? []).map(({ id, name }) => ({ value: id, label: `${name} (webhook)` })),
  ];
}

function OnePolicy({ policy, edit }: { policy: Policy; edit: () => void }) {
  const names = useNames();
  const places = usePlaces();
  const params = { path: { policy: policy.id } };
  const change = useAct((enabled: boolean) =>
    done(api.PUT('/api/v1/alerts/policies/{policy}', { params, body: { ...givenOf(policy), enabled } })),
  );
  const list = (of: string[], name: (one: string) => string, otherwise: string) => (of.length > 0 ? of.map(name).join(', ') : otherwise);
  const facts = [
    list(policy.kinds, words, 'Everything that needs a person'),
    list(policy.connections, names.connection, 'of all connections'),
    `told in ${list(policy.channels, (id) => places.find((place) => place.value === id)?.label ?? id, 'all places')}`,
    policy.remind_hours > 0 ? `again every ${policy.remind_hours} hours` : 'once',
    ...(policy.quiet ? [`quiet from ${policy.quiet.from} until ${policy.quiet.until} (${policy.quiet.zone})`] : []),
    ...(policy.merchant ? [`only ${names.merchant(policy.merchant)}`] : []),
  ];
  return (
    <Paper withBorder p="sm" role="group" aria-label={policy.name}>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div>
          <Text fw={600}>{policy.name}</Text>
          <Text size="sm">{facts.join('; ')}.</Text>
        </div>
        <Switch
          aria-label={`${policy.name} is on`}
          checked={policy.enabled}
          disabled={change.isPending}
          onChange={(event) => change.mutate(event.currentTarget.checked, { onError: complain })}
        />
      </Group>
      <Group gap="xs" mt="xs">
        <Button size="xs" variant="default" onClick={edit}>
          Edit
        </Button>
        <Action
          size="xs"
          label={policy.id === ONE_THAT_STAYS ? 'As it was at first' : 'Remove'}
          danger
          explains={
            policy.id === ONE_THAT_STAYS
              ? 'It tells everything that needs a person in all places again, once.'
              : `What only ${policy.name} covers is not told any more.`
          }
          run={() => done(api.DELETE('/api/v1/alerts/policies/{policy}', { params }))}
        />
      </Group>
    </Paper>
  );
}

function PolicyDialog({ policy, close }: { policy: Policy | null; close: () => void }) {
  const names = useNames();
  const places = usePlaces();
  const [given, setGiven] = useState<Given>(() =>
    policy
      ? givenOf(policy)
      : { name: '', enabled: true, kinds: [], connections: [], channels: [], remind_hours: 0, quiet: null },
  );
  // What the form was filled from: nobody's change that came after it is overwritten.
  const [was] = useState(policy ?? undefined);
  const set = (part: Partial<Given>) => setGiven({ ...given, ...part });
  const [from, setFrom] = useState(given.quiet?.from ?? '');
  const [until, setUntil] = useState(given.quiet?.until ?? '');
  const zone = given.quiet?.zone ?? ZONE;
  const save = useAct(
    () => {
      const body = { ...given, name: given.name?.trim() ?? '', quiet: from && until ? { from, until, zone } : null };
      return policy
        ? done(api.PUT('/api/v1/alerts/policies/{policy}', { params: { path: { policy: policy.id }, header: ifMatch(was) }, body }))
        : done(api.POST('/api/v1/alerts/policies', { body }));
    },
    () => {
      say('The policy is kept.');
      close();
    },
  );
  const faults = useFaults(save.error);
  const many = (label: string, description: string, name: 'kinds' | 'connections' | 'channels', data: { value: string; label: string }[]) => (
    <MultiSelect
      label={label}
      description={description}
      searchable
      clearable
      placeholder={(given[name] ?? []).length === 0 ? 'All' : ''}
      data={data}
      value={given[name] ?? []}
      error={faults.at(name, given[name])}
      onChange={(value) => set({ [name]: value })}
      clearButtonProps={{ 'aria-label': `Empty ${label.toLowerCase()}` }}
    />
  );
  return (
    <FormDialog
      close={close}
      title={policy ? `Policy ${policy.name}` : 'Add a policy'}
      size="lg"
      starred
      submit={() => save.mutate()}
      label="Keep"
      busy={save.isPending}
      error={save.error}
      faults={faults}
    >
      <TextInput
        label="Name"
        description={policy?.id === ONE_THAT_STAYS && 'The policy that is always there keeps its name.'}
        required
        data-autofocus
        disabled={policy?.id === ONE_THAT_STAYS}
        value={given.name ?? ''}
        error={faults.at('name', given.name)}
        onChange={(event) => set({ name: event.currentTarget.value })}
      />
      {many('About', 'Empty: everything that needs a person.', 'kinds', KINDS.map((kind) => ({ value: kind, label: words(kind) })))}
      {many('Of these connections', 'Empty: all.', 'connections', names.connections)}
      {many('Told where', 'Empty: in all places.', 'channels', places)}
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        <NumberInput
          label="Remind after hours"
          description="0: told once."
          min={0}
          max={720}
          allowDecimal={false}
          value={given.remind_hours ?? 0}
          error={faults.at('remind_hours', given.remind_hours)}
          onChange={(value) => set({ remind_hours: Number(value) })}
        />
        <TextInput
          label="Quiet from"
          description={zone}
          type="time"
          value={from}
          error={faults.at('quiet', [from, until])}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput label="Until" description="Told afterwards." type="time" value={until} onChange={(event) => setUntil(event.currentTarget.value)} />
      </SimpleGrid>
    </FormDialog>
  );
}
