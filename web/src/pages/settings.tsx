import { Button, Group, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { choicesOf, useListed } from '../api/choices';
import { api, done, filling, ifMatch, reading, type Schemas } from '../api/client';
import { Action, say, useAct } from '../parts/act';
import { useFaults } from '../parts/faults';
import { ToButton } from '../parts/link';
import { ProblemNote, Waiting } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { EndpointSettings } from './endpoint-settings';
import { Rename } from './name-button';
import { SettingsForm } from './settings-form';
import type { Settings } from './settings-part';

type Detail = Schemas['ConnectionDetailOut'];

/** What is chosen for a connection, and the credentials of both its sides. */
export function SettingsPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  return (
    <Loaded
      of={{ ...reading('/api/v1/connections/{connection}', { path: { connection: id } }), staleTime: Infinity }}
      page={{ title: 'Connection', back: { href: '/connections', title: 'Connections' } }}
    >
      {(connection) => (
        <Page
          title={`Settings of ${connection.name}`}
          back={{ href: `/connections/${connection.id}`, title: connection.name }}
          actions={
            <ToButton href={`/connections/${connection.id}/mappings`} variant="default">
              Mappings
            </ToButton>
          }
        >
          <Loaded of={filling('/api/v1/connections/{connection}/settings', { path: { connection: id } })}>
            {(kept) => <Chosen connection={connection} kept={kept} />}
          </Loaded>
          <EndpointSettings side="store" id={connection.store} />
          <EndpointSettings side="warehouse" id={connection.warehouse} />
          <NameAndEnd connection={connection} />
        </Page>
      )}
    </Loaded>
  );
}

function Chosen({ connection, kept }: { connection: Detail; kept: Settings }) {
  const navigate = useNavigate();
  const params = { path: { connection: connection.id } };
  const choices = useQuery(choicesOf(connection.id));
  const listed = useListed(connection.warehouse);
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
  const faults = useFaults(save.error);
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
        <SettingsForm settings={settings} choices={choices.data} listed={listed} faults={faults} change={setSettings} />
        {save.error && <ProblemNote error={save.error} faults={faults} />}
        <Group justify="flex-end">
          <Button type="submit" loading={save.isPending}>
            Save the settings
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Another name, and taking the connection away: wholly, or put away with its history. */
function NameAndEnd({ connection }: { connection: Detail }) {
  const navigate = useNavigate();
  const params = { path: { connection: connection.id } };
  return (
    <Section
      title="Name and end"
      about="A connection with which nothing has happened is removed wholly. Any other is put away: its orders, shipments and audit trail stay and can be read, its name is free, and it cannot be switched on again."
    >
      <Group>
        <Rename
          name={connection.name}
          what="connection"
          run={(name) => done(api.PATCH('/api/v1/connections/{connection}', { params, body: { name } }))}
        />
        <Action
          label="Remove"
          about={connection.name}
          danger
          explains={
            connection.enabled
              ? `${connection.name} is switched on. Switch it off first: what is on its way ends then.`
              : 'Nothing is read or sent for it any more. This cannot be taken back. Where something of it is still on its way, that is named and nothing is removed.'
          }
          run={async () => {
            const { outcome, name } = await done(api.DELETE('/api/v1/connections/{connection}', { params }));
            await navigate({ to: '/connections' });
            say(
              outcome === 'archived'
                ? `It is put away with its history as “${name ?? connection.name}”: choose the state Archived to see it.`
                : `${connection.name} is removed; nothing had happened with it.`,
            );
          }}
        />
      </Group>
    </Section>
  );
}
