import { Button, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, basis, done, filling, ifMatch, reading, type Schemas } from '../api/client';
import { say, useAct } from '../parts/act';
import { useFaults } from '../parts/faults';
import { given, theirs, type Values } from '../parts/fields';
import { SchemaForm } from '../parts/form';
import { ProblemNote } from '../parts/notes';
import { Section } from '../parts/section';
import { Starred } from '../parts/starred';
import { AskOther } from './ask-other';
import { CheckResult } from './check-result';
import { SamplePreview } from './sample-preview';
import { StoreOauth } from './store-oauth';

type Side = Schemas['Side'];
type Endpoint = Schemas['EndpointOut'];
type Check = Schemas['EndpointCheckOut'];
type Trial = Schemas['TestEndpointIn'];

/** Reads, changes and tests one side, whichever it is: `test` what is kept, `attempt` what is not. */
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
    attempt: (body: Trial) => done(api.POST('/api/v1/stores/test', { body })),
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
    attempt: (body: Trial) => done(api.POST('/api/v1/warehouses/test', { body })),
  },
} as const;

interface TestOf {
  side: Side;
  /** What stands in the form. */
  form: Trial;
  /**
   * The one whose kept settings the form shows unchanged: that one is tested. It asks for no password, and knows what access was
   * granted to it.
   */
  kept: string | undefined;
  /** What has to be done before the form can be tested. */
  before?: () => Promise<unknown>;
  then?: (check: Check, kept: string | undefined) => void;
}

/**
 * Tests one side as it stands in a form, and keeps nothing. What a test learned belongs to the form once the person has compared
 * it, as long as the settings stay those that it was learned with.
 */
export function useTest({ side, form, kept, before, then }: TestOf) {
  const [tested, setTested] = useState('');
  const [agreed, setAgreed] = useState<{ settings: string; learned: Values }>({ settings: '', learned: {} });
  const settings = JSON.stringify(form.settings);
  const learned = agreed.settings === settings ? agreed.learned : {};
  const now = kept ?? JSON.stringify([form.of, form.platform, settings, form.secrets]);
  const newest = useRef(now);
  newest.current = now;
  const isTested = tested === now;
  const act = useAct<{ id?: string; trusted?: Values }, Check>(async ({ id, trusted }) => {
    setTested(id ?? now);
    let check: Check;
    if (id) check = await sides[side].test(id, trusted !== undefined);
    else {
      await before?.();
      check = await sides[side].attempt({ ...form, settings: { ...form.settings, ...learned, ...trusted } });
    }
    then?.(check, id);
    return check;
  });
  return {
    check: act.data,
    error: act.error,
    isPending: act.isPending,
    /** What stands in the form now was tested, and can be worked with. */
    works: act.data?.ok === true && isTested,
    learned,
    /** `next` follows where it can be worked with. What was changed meanwhile was not tested, so then nothing follows. */
    run: (next?: () => void) => act.mutate({ id: kept }, { onSuccess: (check) => check.ok && newest.current === now && next?.() }),
    runKept: (id: string) => act.mutate({ id }),
    /** What was compared is of the server that was tested, and of no other that was entered since. */
    trust: isTested
      ? () => {
          const seen = act.data?.learned ?? {};
          if (!kept) setAgreed({ settings, learned: seen });
          act.mutate({ id: kept, trusted: seen });
        }
      : undefined,
    reset: () => {
      act.reset();
      setAgreed({ settings: '', learned: {} });
    },
  };
}

/** Whether the form of a button that does not submit it, if there is one, is filled in; where not, the browser says what is missing. */
export const complete = ({ currentTarget: { form } }: { currentTarget: HTMLButtonElement }): boolean => !form || form.reportValidity();

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
  const entered = given(fields, values);
  const isAsKept = JSON.stringify(entered) === JSON.stringify(given(fields, endpoint.settings));
  const test = useTest({
    side,
    form: { name: endpoint.name, platform: endpoint.platform, of: endpoint.id, ...entered },
    kept: isAsKept ? endpoint.id : undefined,
  });
  const needsSaving = !isAsKept && values.sign_in === 'oauth';
  const save = useAct<void, Endpoint>(
    () =>
      sides[side].update(
        // What a test learns beside the form is no other's change.
        basis(filled, endpoint, (one) => given(fields, one.settings).settings),
        { ...entered, settings: { ...entered.settings, ...test.learned } },
      ),
    (kept) => {
      setFilled(kept);
      say(`${endpoint.name} is kept.`);
    },
  );
  const problem = save.error ?? test.error;
  const faults = useFaults(problem);
  const form = (
    <Section title={`${sides[side].title}: ${endpoint.name}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Stack className="fields">
          <Starred />
          <SchemaForm
            platform={endpoint.platform}
            fields={fields}
            values={values}
            onChange={setValues}
            kept={endpoint.secrets}
            faults={faults}
            standIns={platform?.stand_ins ?? false}
          />
          {problem && <ProblemNote error={problem} faults={faults} />}
          {test.check && <CheckResult check={test.check} trust={test.trust} />}
          {side === 'store' && endpoint.settings.sign_in === 'oauth' && <StoreOauth store={endpoint.id} name={endpoint.name} />}
          <Text size="sm">Does somebody else have the credentials? They enter them on a page of their own, without an account.</Text>
          <AskOther
            wanted={{ [side]: endpoint.id, fields: theirs(endpoint.platform, fields, endpoint.settings) }}
            fits={(one) => one[side] === endpoint.id}
          />
          {needsSaving && <Text size="sm">Brightpearl's consent is for what is saved: save first, then test.</Text>}
          <Group justify="flex-end">
            <Button
              variant="default"
              disabled={needsSaving}
              loading={test.isPending}
              onClick={(event) => complete(event) && test.run()}
            >
              Test connection
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
