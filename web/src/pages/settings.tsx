import { Button, Group, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, done, ifMatch, reading, type Schemas } from '../api/client';
import { say, useAct } from '../parts/act';
import { ProblemNote, Waiting } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { EndpointSettings } from './endpoint-settings';
import { SettingsForm, type Settings } from './settings-form';

type Detail = Schemas['ConnectionDetailOut'];

/** What is chosen for a connection, and the credentials of both its sides. */
export function SettingsPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  return (
    <Loaded of={{ ...reading('/api/v1/connections/{connection}', { path: { connection: id } }), staleTime: Infinity }}>
      {(connection) => (
        <Page
          title={`Settings of ${connection.name}`}
          back={{ href: `/connections/${connection.id}`, title: connection.name }}
        >
          <Loaded of={{ ...reading('/api/v1/connections/{connection}/settings', { path: { connection: id } }), staleTime: Infinity }}>
            {(kept) => <Chosen connection={connection} kept={kept} />}
          </Loaded>
          <EndpointSettings side="store" id={connection.store} />
          <EndpointSettings side="warehouse" id={connection.warehouse} />
        </Page>
      )}
    </Loaded>
  );
}

function Chosen({ connection, kept }: { connection: Detail; kept: Settings }) {
  const navigate = useNavigate();
  const params = { path: { connection: connection.id } };
  const choices = useQuery({ ...reading('/api/v1/connections/{connection}/choices', params), staleTime: 300_000 });
  const [settings, setSettings] = useState<Settings>(kept);
  // What the form was filled from: nobody's change that came after it is overwritten.
  const [from] = useState(kept);
  const save = useAct(
    () =>
      done(
        api.PUT('/api/v1/connections/{connection}/settings', { params: { ...params, header: ifMatch(from) }, body: settings }),
      ),
    () => {
      say('The settings are kept, and hold from the next run on.');
      void navigate({ to: `/connections/${connection.id}` });
    },
  );
  if (choices.error) return <ProblemNote error={choices.error} retry={() => void choices.refetch()} />;
  if (!choices.data) return <Waiting what="Reading the account's lists" />;
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
            Save the settings
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
