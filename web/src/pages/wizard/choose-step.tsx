import { Button, Group, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, reading, type Schemas } from '../../api/client';
import { useAct } from '../../parts/act';
import { ProblemNote, Waiting } from '../../parts/notes';
import { SettingsForm, type Settings } from '../settings-form';
import type { Draft } from './wizard';

interface Props {
  draft: Draft;
  /** Told the connection that was made. */
  made: (connection: string) => void;
  back: () => void;
}

/** Picks from the account's own lists what the connection shall do, and makes it. It is off. */
export function ChooseStep({ draft, made, back }: Props) {
  const choices = useQuery({
    ...reading('/api/v1/stores/{store}/choices', { path: { store: draft.store } }),
    staleTime: 300_000,
  });
  const [settings, setSettings] = useState<Settings>({});
  const create = useAct<void, Schemas['ConnectionDetailOut']>(
    () =>
      done(
        api.POST('/api/v1/connections', {
          body: { name: draft.name, store: draft.store, warehouse: draft.warehouse, settings },
        }),
      ),
    (connection) => made(connection.id),
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      <Stack>
        {choices.error && <ProblemNote error={choices.error} retry={() => void choices.refetch()} />}
        {choices.isPending && <Waiting what="Reading the account's lists" />}
        {choices.data && <SettingsForm settings={settings} choices={choices.data} change={setSettings} />}
        {create.error && <ProblemNote error={create.error} />}
        <Group justify="space-between">
          <Button variant="default" onClick={back}>
            Back
          </Button>
          <Button type="submit" disabled={!choices.data} loading={create.isPending}>
            Make the connection
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
