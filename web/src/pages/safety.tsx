import { Group, List, Stack, Switch, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api, done, reading, type Schemas } from '../api/client';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { Facts } from '../parts/facts';
import { To } from '../parts/link';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { Prose, Time, words } from '../parts/values';
import { Backups } from './backups';
import { WrappingKey } from './wrapping-key';

type SafetyOut = Schemas['SafetyOut'];

/** Whether anything is sent, and the way back after a loss. */
export function Safety() {
  return (
    <Page title="Safety" about="Whether anything is sent to Brightpearl and the warehouses, and what to do after a backup was restored.">
      <Loaded of={{ ...reading('/api/v1/safety'), refetchInterval: 5_000 }}>{(safety) => <Shown safety={safety} />}</Loaded>
    </Page>
  );
}

function Shown({ safety }: { safety: SafetyOut }) {
  const { installation } = useRights();
  return (
    <Stack>
      <Section
        title={safety.frozen ? 'Sending is frozen' : 'Sending goes on'}
        actions={
          installation && (safety.frozen ? <Release /> : <Freeze />)
        }
      >
        <Facts
          of={[
            ['Why', safety.reason],
            ['Kind', safety.kind && words(safety.kind)],
            ['Since', safety.since && <Time at={safety.since} />],
            ['What to do', installation && here(safety)],
            [namesCommand(safety) ? 'By commands' : 'Now', (installation || !namesCommand(safety)) && safety.next && <Prose>{safety.next}</Prose>],
            ['Last backup', <Time key="b" at={safety.backed_up_at} none="None that Millrace was told of" />],
          ]}
        />
        {!installation && <Text size="sm">An administrator of the installation freezes and releases it.</Text>}
      </Section>
      {installation && <Backups />}
      {installation && <WrappingKey />}
      {safety.recovery && <Recovery recovery={safety.recovery} />}
      {installation && safety.frozen && !safety.recovery && <Recover />}
    </Stack>
  );
}

/** Whether the program's own words say what to do by commands. */
const namesCommand = ({ next }: SafetyOut) => next?.includes('`') ?? false;

/** The same by the buttons of this page. */
function here(safety: SafetyOut): string | null {
  if (!namesCommand(safety)) return null;
  if (safety.kind === 'person') return 'When it may go on, press Release sending.';
  if (safety.recovery) return 'See under Recovery what was found, then press Release sending.';
  if (safety.kind === 'cloned') {
    return 'A copy beside an installation that works stays frozen. Where the installation moved here, begin a recovery below, from when the copy was taken; then press Release sending.';
  }
  return 'Begin a recovery below, from the moment that this database stems from; then press Release sending.';
}

function Freeze() {
  return (
    <Action
      size="xs"
      label="Freeze sending"
      danger
      wantsReason
      explains="Nothing is sent to any remote system any more until it is released. Reading goes on, and nothing is lost."
      run={(reason) => done(api.POST('/api/v1/safety/freeze', { body: { reason } }))}
    />
  );
}

function Release() {
  const [force, setForce] = useState(false);
  return (
    <Action
      size="xs"
      label="Release sending"
      wantsReason
      explains={
        <Switch
          label="Although something has not been looked up yet"
          description="It is still looked up before it is sent. Without a recovery begun this does not help: nothing is known to be in doubt then."
          checked={force}
          onChange={(event) => setForce(event.currentTarget.checked)}
        />
      }
      run={(reason) => done(api.POST('/api/v1/safety/release', { body: { reason, force } }))}
    />
  );
}

/** Begins a recovery: names the moment before which the database surely knew everything. */
function Recover() {
  const [since, setSince] = useState('');
  return (
    <Section
      title="Recover from a loss"
      about="After an older backup was restored: everything that may have been sent since is looked up at the remote systems."
    >
      <Group align="flex-end">
        <TextInput
          type="datetime-local"
          label="The database surely knew everything until"
          description="Enter the moment, and the recovery can begin."
          required
          value={since}
          onChange={(event) => setSince(event.currentTarget.value)}
        />
        <Action
          label="Begin the recovery"
          disabled={!since}
          explains="What was sent in that window is looked for on both sides. Nothing is sent meanwhile."
          run={() => done(api.POST('/api/v1/safety/recover', { body: { since: new Date(since).toISOString() } }))}
        />
      </Group>
    </Section>
  );
}

function Recovery({ recovery }: { recovery: Schemas['RecoveryOut'] }) {
  return (
    <Section title="Recovery" actions={<StateBadge state={recovery.released_at ? 'closed' : 'open'} />}>
      <Facts
        of={[
          ['From', <Time key="f" at={recovery.since} />],
          ['Until', <Time key="u" at={recovery.until} />],
          ['Named by', recovery.by],
          ['Made by the lost journal', String(recovery.confirmed)],
          ['Not made', String(recovery.absent)],
          ['Something else found', String(recovery.conflicts)],
          ['Cannot be looked up', String(recovery.cannot_ask)],
          ['Still to be looked up', String(recovery.open)],
        ]}
      />
      <List size="sm">
        {recovery.connections.map((pass) => (
          <List.Item key={pass.name}>
            {pass.name}: {pass.read_at ? <>read again <Time at={pass.read_at} /></> : pass.enabled ? 'not read again yet' : 'switched off'}
          </List.Item>
        ))}
      </List>
      {recovery.needing_a_person.length > 0 && (
        <Rows
          label="What needs a person"
          rows={recovery.needing_a_person}
          id={(look) => look.id}
          columns={[
            { title: 'What', show: (look) => <To href={`/effects/${look.id}`}>{look.title}</To> },
            { title: 'Look', show: (look) => words(look.look) },
            { title: 'It said', show: (look) => look.note },
          ]}
        />
      )}
    </Section>
  );
}
