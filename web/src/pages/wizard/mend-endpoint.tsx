import { Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { basis, type Schemas } from '../../api/client';
import { useAct } from '../../parts/act';
import { useFaults } from '../../parts/faults';
import { given, type Field, type Values } from '../../parts/fields';
import { SchemaForm } from '../../parts/form';
import { ProblemNote } from '../../parts/notes';
import { Starred } from '../../parts/starred';
import { sides } from '../endpoint-settings';

type Endpoint = Schemas['EndpointOut'];

/** Changes one that is kept and did not work; saving takes what a test learned, and `then` is told when that is kept. */
export function useMend(side: Schemas['Side'], id: string, wanted: boolean, fields: Field[], then: () => void) {
  const client = useQueryClient();
  const one = sides[side].one(id) as ReturnType<typeof sides.store.one>;
  const { data: endpoint } = useQuery({ ...one, enabled: wanted });
  const [changed, setChanged] = useState<{ from: Endpoint; values: Values } | null>(null);
  const save = useAct<Values, Endpoint | undefined>(
    async (learned) => {
      if (!endpoint || !changed) return undefined;
      const { settings, secrets } = given(fields, changed.values);
      const from = basis(changed.from, endpoint, (of) => given(fields, of.settings).settings);
      return sides[side].update(from, { settings: { ...settings, ...learned }, secrets });
    },
    (kept) => {
      if (!kept) return;
      client.setQueryData(one.queryKey, kept);
      setChanged(null);
      then();
    },
  );
  const forget = () => {
    setChanged(null);
    save.reset();
  };
  return { endpoint, changed, setChanged, save, forget };
}

interface Props {
  of: ReturnType<typeof useMend>;
  fields: Field[];
  standIns: boolean;
  /** Why a test of it could not be made. */
  refused: unknown;
  submit: () => void;
}

/** What was entered for it, to be changed where one sees why it does not work. */
export function MendForm({ of: { endpoint, changed, setChanged, save }, fields, standIns, refused, submit }: Props) {
  const problem = save.error ?? refused;
  const faults = useFaults(problem);
  if (!endpoint) return null;
  return (
    <form
      id="endpoint"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Stack>
        <Text size="sm">
          Change what is wrong, and test it again. You can also go on, and mend it later: the connection stays off until it works.
        </Text>
        <Starred />
        <SchemaForm
          platform={endpoint.platform}
          fields={fields}
          values={changed?.values ?? endpoint.settings}
          onChange={(values) => setChanged({ from: changed?.from ?? endpoint, values })}
          kept={endpoint.secrets}
          faults={faults}
          standIns={standIns}
        />
        {problem !== null && <ProblemNote error={problem} faults={faults} />}
      </Stack>
    </form>
  );
}
