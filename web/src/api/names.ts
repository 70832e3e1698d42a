import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { whole } from './client';

type Named = { id: string; name: string };

const named = (list: Named[] | undefined) => (id: string | null | undefined) =>
  id ? (list?.find((one) => one.id === id)?.name ?? id) : '';
const choices = (list: Named[] | undefined) => (list ?? []).map(({ id, name }) => ({ value: id, label: name }));

/** What people call the connections and merchants, by id. An id stands for itself until they are read. */
export function useNames() {
  const { data: connections } = useQuery({ ...whole('/api/v1/connections'), staleTime: 60_000 });
  const { data: merchants } = useQuery({ ...whole('/api/v1/merchants'), staleTime: 60_000 });
  return useMemo(
    () => ({
      connection: named(connections),
      merchant: named(merchants),
      connections: choices(connections),
      merchants: choices(merchants),
    }),
    [connections, merchants],
  );
}
