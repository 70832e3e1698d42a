import { Button, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { api, done, reading, type Schemas } from '../../api/client';
import { useAct } from '../../parts/act';
import { ProblemNote, Waiting } from '../../parts/notes';
import { Section } from '../../parts/section';
import { SettingsForm, type Settings } from '../settings-form';
import type { Draft } from './wizard';

interface Props {
  draft: Draft;
  keep: (part: Partial<Draft>) => void;
  finish: () => void;
  back: () => void;
}

/** Makes the connection, which is off, and picks from the account's lists what it shall do. */
export function ChooseStep({ draft, keep, finish, back }: Props) {
  const create = useAct<void, Schemas['ConnectionDetailOut']>(
    () =>
      done(
        api.POST('/api/v1/connections', {
          body: { name: draft.name, store: draft.store, warehouse: draft.warehouse },
        }),
      ),
    (made) => keep({ connection: made.id }),
  );
  if (draft.connection) return <Choose connection={draft.connection} finish={finish} />;
  return (
    <Section title="What to import">
      <Text size="sm">
        The connection <b>{draft.name}</b> is made now. It stays off; the account's statuses, warehouses and shipping methods
        are read, so that you can pick from them.
      </Text>
      {create.error && <ProblemNote error={create.error} />}
      <Group justify="space-between">
        <Button variant="default" onClick={back}>
          Back
        </Button>
        <Button loading={create.isPending} onClick={() => create.mutate()}>
          Make the connection
        </Button>
      </Group>
    </Section>
  );
}

function Choose({ connection, finish }: { connection: string; finish: () => void }) {
  const navigate = useNavigate();
  const params = { path: { connection } };
  const choices = useQuery({ ...reading('/api/v1/connections/{connection}/choices', params), staleTime: 300_000 });
  const detail = useQuery({ ...reading('/api/v1/connections/{connection}', params), staleTime: Infinity });
  const [settings, setSettings] = useState<Settings | null>(null);
  const present = detail.data?.settings;
  useEffect(() => {
    if (present) setSettings((before) => before ?? present);
  }, [present]);
  const save = useAct(
    () => done(api.PUT('/api/v1/connections/{connection}/settings', { params, body: settings ?? {} })),
    () => {
      finish();
      void navigate({ to: `/connections/${connection}` });
    },
  );
  const error = choices.error ?? detail.error;
  if (error) return <ProblemNote error={error} retry={() => void choices.refetch()} />;
  if (!choices.data || !settings) return <Waiting what="Reading the account's lists" />;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <Stack>
        <SettingsForm settings={settings} choices={choices.data} change={setSettings} />
        {save.error && <ProblemNote error={save.error} />}
        <Group justify="flex-end">
          <Button type="submit" loading={save.isPending}>
            Keep it, and look at the connection
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
