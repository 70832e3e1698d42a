import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, type Schemas } from '../api/client';
import { Problem, sentence } from '../api/problem';
import { useFaults } from '../parts/faults';
import { given, type Values } from '../parts/fields';
import { SchemaForm } from '../parts/form';
import { ProblemNote, Waiting } from '../parts/notes';
import { Starred } from '../parts/starred';
import { Time, words } from '../parts/values';
import { Door } from '../shell/door';
import { Found } from './check-result';

type About = Schemas['LinkAboutOut'];
type Asked = Schemas['HandOffAboutOut'];
type Result = Schemas['HandOffResultOut'];

/** Orders come from this platform alone, and a link says nothing of it but its title. Warehouses have no rules of their own here. */
const PLATFORM = { store: 'brightpearl', warehouse: '' };

const PURPOSE = {
  store: 'so that orders reach the warehouse',
  warehouse: 'so that orders reach it and what it ships is told',
};

/** For somebody without an account: enters the credentials that a link asks for, sees the test of them, and is done. */
export function HandOff() {
  const [token] = useState(() => location.hash.slice(1));
  const about = useQuery<About, Problem>({
    queryKey: ['link', token],
    queryFn: () => done(api.POST('/api/v1/links/describe', { body: { token } })),
    staleTime: Infinity,
  });
  if (about.error) {
    return (
      <Door title="This link does not open" about="Ask whoever sent it for a new one.">
        <ProblemNote error={about.error} />
      </Door>
    );
  }
  if (!about.data) return <Waiting what="Looking at the link" />;
  const { hand_off: asked, expires_at: ends } = about.data;
  if (!asked) {
    return <Door title="This link is for something else" about="Open it as it was sent to you, whole." children={null} />;
  }
  return <Enter token={token} asked={asked} ends={ends} />;
}

function Enter({ token, asked, ends }: { token: string; asked: Asked; ends: string }) {
  const settled = asked.settled;
  // The tenant that an installation begins with has no name that anybody would know.
  const asker = asked.asked_by.replace(/^default: /, '');
  const [values, setValues] = useState<Values>({});
  const submit = useMutation<Result, Problem, 'if_it_works' | 'anyway'>({
    mutationFn: (save) => done(api.POST('/api/v1/links/hand-off', { body: { token, save, ...given(asked.fields, values) } })),
  });
  const faults = useFaults(submit.error);
  const result = submit.data;
  if (result?.saved) {
    return (
      <Door title="Done" about={sentence(result.next)}>
        <Outcome result={result} />
        <Text size="sm">You can close this page: the link does nothing any more.</Text>
      </Door>
    );
  }
  return (
    <Door
      title={asked.side === 'store' ? `${asked.title} access for ${asked.merchant}` : `Access to ${asked.store} for ${asked.merchant}`}
      about={`${asker} asks you to connect ${asked.store}, ${PURPOSE[asked.side]}. What you enter is sealed: nobody can read it here, not even who asks.`}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit.mutate('if_it_works');
        }}
      >
        <Stack>
          {Object.entries(settled).map(([name, value]) => (
            <Text key={name} size="sm">
              {words(name)}: <b>{value}</b>
            </Text>
          ))}
          <Starred />
          <SchemaForm
            faults={faults}
            platform={PLATFORM[asked.side]}
            fields={asked.fields}
            values={{ ...settled, ...values }}
            onChange={(all) => setValues(Object.fromEntries(Object.entries(all).filter(([name]) => !(name in settled))))}
          />
          {result && <Outcome result={result} />}
          {submit.error && <ProblemNote error={submit.error} faults={faults} />}
          <Group>
            <Button type="submit" loading={submit.isPending}>
              Test and save
            </Button>
            {result && !result.ok && (
              <Button variant="default" disabled={submit.isPending} onClick={() => submit.mutate('anyway')}>
                Save all the same
              </Button>
            )}
          </Group>
          <Text size="sm" className="quiet">
            It is saved once the test has reached {asked.store}; then the link is used. It ends <Time at={ends} />.
          </Text>
        </Stack>
      </form>
    </Door>
  );
}

/** What the test reached, in the words of the program. */
function Outcome({ result }: { result: Result }) {
  return (
    <Alert color={result.ok ? 'teal' : 'red'} title={result.ok ? 'It was reached' : 'It does not work yet'} role="status">
      <Stack gap="xs">
        <Found {...result} />
        {!result.saved && (
          <Text size="sm">
            {sentence(result.next)} {result.tests_left === 1 ? 'One test is left.' : `${result.tests_left} tests are left.`}
          </Text>
        )}
      </Stack>
    </Alert>
  );
}
