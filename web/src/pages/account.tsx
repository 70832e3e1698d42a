import { Button, Group, List, Paper, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { encode } from 'uqr';
import { api, done, reading, setCsrf, type Schemas } from '../api/client';
import { useSession } from '../api/session';
import { Action, say, useAct } from '../parts/act';
import { Facts } from '../parts/facts';
import { useFaults } from '../parts/faults';
import { ProblemNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { Time, words, ZONE } from '../parts/values';
import { SessionRows } from './session-rows';

/** What people do about themselves. */
export function Account() {
  const { person, ends_at: endsAt } = useSession();
  return (
    <Page title="Your account">
      <Section title={person.name}>
        <Facts
          of={[
            ['E-mail address', person.email],
            ['Role', words(person.role)],
            ['This session ends', <Time key="e" at={endsAt} />],
            ['Times are shown in', `${ZONE}, as this browser has it`],
          ]}
        />
      </Section>
      <Password />
      <SecondFactor />
      <Section title="Where you are signed in">
        <Loaded of={reading('/api/v1/session/all')}>
          {(sessions) => (
            <Paper withBorder className="list">
              <SessionRows
                sessions={sessions}
                act={(session) =>
                  session.this ? (
                    'This one'
                  ) : (
                    <Action
                      size="xs"
                      label="End it"
                      run={() => done(api.DELETE('/api/v1/session/all/{session}', { params: { path: { session: session.id } } }))}
                    />
                  )
                }
              />
            </Paper>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}

function Password() {
  const client = useQueryClient();
  const { person } = useSession();
  const [current, setCurrent] = useState('');
  const [fresh, setFresh] = useState('');
  const [code, setCode] = useState('');
  const change = useAct(
    () => done(api.PUT('/api/v1/session/password', { body: { current, new: fresh, ...(code ? { code } : {}) } })),
    (session) => {
      setCsrf(session.csrf);
      client.setQueryData(reading('/api/v1/session').queryKey, session);
      setCurrent('');
      setFresh('');
      setCode('');
      say('The password is changed. Every other session has ended.');
    },
  );
  const faults = useFaults(change.error);
  return (
    <Section title="Password">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate();
        }}
      >
        <Stack maw={420}>
          <input type="text" name="username" autoComplete="username" value={person.email} readOnly hidden />
          <PasswordInput
            label="The present one"
            autoComplete="current-password"
            required
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
          />
          <PasswordInput
            label="The new one"
            description="At least 15 characters, of any kind."
            autoComplete="new-password"
            minLength={15}
            required
            value={fresh}
            error={faults.at('password', fresh)}
            onChange={(event) => setFresh(event.currentTarget.value)}
          />
          {person.second_factor && (
            <TextInput
              label="Code of your authenticator app"
              autoComplete="one-time-code"
              required
              value={code}
              error={faults.at('code', code)}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
          )}
          {change.error && <ProblemNote error={change.error} faults={faults} />}
          <Group>
            <Button type="submit" loading={change.isPending}>
              Change it
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}

export function SecondFactor() {
  const { person } = useSession();
  const [factor, setFactor] = useState<Schemas['FactorOut'] | null>(null);
  const [codes, setCodes] = useState<string[]>([]);
  const [code, setCode] = useState('');
  const confirm = useAct(
    () => done(api.POST('/api/v1/session/second-factor/confirm', { body: { code: code.trim() } })),
    (answer) => {
      setCodes(answer.recovery_codes);
      setFactor(null);
      setCode('');
    },
  );
  const faults = useFaults(confirm.error);
  return (
    <Section
      title="Second factor"
      about="A code of an authenticator app, asked for beside the password: a stolen password alone is then not enough."
      actions={
        person.second_factor ? (
          <Action
            size="xs"
            label="Remove it"
            danger
            explains="From then on the password alone signs you in."
            run={() => done(api.DELETE('/api/v1/session/second-factor'))}
          />
        ) : (
          !factor && (
            <Action
              size="xs"
              label="Set it up"
              run={async () => setFactor(await done(api.POST('/api/v1/session/second-factor')))}
            />
          )
        )
      }
    >
      {codes.length > 0 && (
        <Paper withBorder p="md" role="status">
          <Text fw={600}>Your recovery codes</Text>
          <Text size="sm">Each lets you in once without the app. They are shown this once: keep them somewhere safe.</Text>
          <List ff="monospace" size="xs">
            {codes.map((one) => (
              <List.Item key={one}>{one}</List.Item>
            ))}
          </List>
        </Paper>
      )}
      {factor && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            confirm.mutate();
          }}
        >
          <Stack maw={420}>
            <Text size="sm">Scan this with your authenticator app, or type the text below into it.</Text>
            <QrCode text={factor.address} />
            <Text ff="monospace" className="breaks">
              {factor.secret}
            </Text>
            <TextInput
              label="The code that the app shows"
              autoComplete="one-time-code"
              inputMode="numeric"
              required
              value={code}
              error={faults.at('code', code)}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
            {confirm.error && <ProblemNote error={confirm.error} faults={faults} />}
            <Group>
              <Button type="submit" loading={confirm.isPending}>
                Switch it on
              </Button>
            </Group>
          </Stack>
        </form>
      )}
      {!factor && codes.length === 0 && <Text size="sm">{person.second_factor ? 'It is on.' : 'It is off.'}</Text>}
    </Section>
  );
}

function QrCode({ text }: { text: string }) {
  const { data, size } = encode(text, { border: 2 });
  const path = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
  return (
    <svg viewBox={`0 0 ${size} ${size}`} width={200} height={200} role="img" aria-label="The same as a QR code" shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
