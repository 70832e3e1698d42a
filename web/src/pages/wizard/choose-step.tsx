import { Button, Group, Stack } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useListed } from '../../api/choices';
import { api, done, reading, type Schemas } from '../../api/client';
import { useAct } from '../../parts/act';
import { useFaults } from '../../parts/faults';
import { ProblemNote, Waiting } from '../../parts/notes';
import { SettingsForm } from '../settings-form';
import type { Settings } from '../settings-part';
import { KEPT_AFTER, type Keeping } from './draft';

interface Props {
  keeping: Keeping;
  /** Told the connection that was made. */
  made: (connection: string) => Promise<void>;
  back: () => void;
}

/** Picks from the account's own lists what the connection shall do, and makes it. It is off. */
export function ChooseStep({ keeping: { draft, keep }, made, back }: Props) {
  const choices = useQuery({
    ...reading('/api/v1/stores/{store}/choices', { path: { store: draft.store } }),
    staleTime: 300_000,
  });
  const listed = useListed(draft.warehouse);
  const [settings, setSettings] = useState<Settings>(draft.settings);
  const later = useDebouncedCallback((chosen: Settings) => void keep({ settings: chosen }), { delay: KEPT_AFTER, flushOnUnmount: true });
  const change = (chosen: Settings) => {
    setSettings(chosen);
    later(chosen);
  };
  const create = useAct<void, Schemas['ConnectionDetailOut']>(
    async () => {
      const body = { name: draft.name, store: draft.store, warehouse: draft.warehouse, settings };
      const connection = await done(api.POST('/api/v1/connections', { body }));
      // The draft goes next: nothing of it is kept any more.
      later.cancel();
      return connection;
    },
    (connection) => void made(connection.id),
  );
  const faults = useFaults(create.error);
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
        {choices.data && <SettingsForm settings={settings} choices={choices.data} listed={listed} faults={faults} change={change} folded />}
        {create.error && <ProblemNote error={create.error} faults={faults} />}
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
