import { Button, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, basis, done, filling, ifMatch, reading, type Schemas } from '../api/client';
import { problemFrom } from '../api/problem';
import { say, useAct } from '../parts/act';
import { given, theirs, type Values } from '../parts/fields';
import { SchemaForm } from '../parts/form';
import { ProblemNote } from '../parts/notes';
import { Section } from '../parts/section';
import { AskOther } from './ask-other';
import { CheckResult } from './check-result';
import { SamplePreview } from './sample-preview';
import { StoreOauth } from './store-oauth';

type Side = Schemas['Side'];
type Endpoint = Schemas['EndpointOut'];

/** Reads, changes and tests one side, whichever it is. */
export const sides = {
  store: {
    title: 'Store',
    one: (id: string) => filling('/api/v1/stores/{store}', { path: { store: id } }),
    create: (body: Schemas['NewEndpointIn']) => done(api.POST('/api/v1/stores', { body })),
    update: (from: Endpoint, body: Schemas['UpdateEndpointIn']) =>
      done(api.PUT('/api/v1/stores/{store}', { params: { path: { store: from.id }, header: ifMatch(from) }, body })),
    test: (id: string, trust: boolean) =>
      done(
        api.POST('/api/v1/stores/{store}/test', { params: { path: { store: id }, query: { trust_host_key: trust } } }),
      ),
  },
  warehouse: {
    title: 'Warehouse',
    one: (id: string) => filling('/api/v1/warehouses/{warehouse}', { path: { warehouse: id } }),
    create: (body: Schemas['NewEndpointIn']) => done(api.POST('/api/v1/warehouses', { body })),
    update: (from: Endpoint, body: Schemas['UpdateEndpointIn']) =>
      done(api.PUT('/api/v1/warehouses/{warehouse}', { params: { path: { warehouse: from.id }, header: ifMatch(from) }, body })),
    test: (id: string, trust: boolean) =>
      done(
        api.POST('/api/v1/warehouses/{warehouse}/test', {
          params: { path: { warehouse: id }, query: { trust_host_key: trust } },
        }),
      ),
  },
} as const;

/** What is wrong with single fields, by the field's name: places look like `settings.host` or `host`. */
export function byField(error: unknown): Record<string, string> {
  const problems = error ? (problemFrom(error).told.problems ?? []) : [];
  return Object.fromEntries(problems.map(({ at, problem }) => [at.split('.').at(-1) ?? at, problem]));
}

/** Credentials and settings of one side of a connection. Secrets are never shown; an empty one stays as it is. */
export function EndpointSettings({ side, id }: { side: Side; id: string }) {
  const endpoint = useQuery(sides[side].one(id) as ReturnType<typeof sides.store.one>);
  if (!endpoint.data) return null;
  return <Form side={side} endpoint={endpoint.data} />;
}

function Form({ side, endpoint }: { side: Side; endpoint: Endpoint }) {
  const { data: platforms } = useQuery({ ...reading('/api/v1/platforms'), staleTime: Infinity });
  const [values, setValues] = useState<Values>(endpoint.settings);
  const platform = platforms?.find((one) => one.name === endpoint.platform);
  const fields = platform?.fields ?? [];
  const [filled, setFilled] = useState(endpoint);
  const save = useAct<void, Endpoint>(
    // What a test learns beside the form is no other's change.
    () => sides[side].update(basis(filled, endpoint, (one) => given(fields, one.settings).settings), given(fields, values)),
    (kept) => {
      setFilled(kept);
      say(`${endpoint.name} is kept.`);
    },
  );
  const test = useAct((trust: boolean) => sides[side].test(endpoint.id, trust));
  const form = (
    <Section title={`${sides[side].title}: ${endpoint.name}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack>
          <SchemaForm
            platform={endpoint.platform}
            fields={fields}
            values={values}
            onChange={setValues}
            kept={endpoint.secrets}
            problems={byField(save.error)}
            standIns={platform?.stand_ins ?? false}
          />
          {save.error && <ProblemNote error={save.error} />}
          {test.error && <ProblemNote error={test.error} />}
          {test.data && <CheckResult check={test.data} trust={() => test.mutate(true)} />}
          {side === 'store' && endpoint.settings.sign_in === 'oauth' && <StoreOauth store={endpoint.id} name={endpoint.name} />}
          <Text size="sm">Does somebody else have the credentials? They enter them on a page of their own, without an account.</Text>
          <AskOther
            wanted={{ [side]: endpoint.id, fields: theirs(endpoint.platform, fields, endpoint.settings) }}
            fits={(one) => one[side] === endpoint.id}
          />
          <Group justify="flex-end">
            <Button variant="default" loading={test.isPending} onClick={() => test.mutate(false)}>
              Test what is kept
            </Button>
            <Button type="submit" loading={save.isPending}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
  return (
    <>
      {form}
      {platform?.previews && <SamplePreview platform={endpoint.platform} fields={fields} values={values} />}
    </>
  );
}
