import { useQuery } from '@tanstack/react-query';
import { reading } from './client';

/** What people call the connections and merchants, by id. An id stands for itself until they are read. */
export function useNames() {
  const { data: connections } = useQuery({ ...reading('/api/v1/connections'), staleTime: 60_000 });
  const { data: merchants } = useQuery({ ...reading('/api/v1/merchants'), staleTime: 60_000 });
  const named = (list: { id: string; name: string }[] | undefined) => (id: string | null | undefined) =>
    id ? (list?.find((one) => one.id === id)?.name ?? id) : '';
  const choices = (list: { id: string; name: string }[] | undefined) =>
    (list ?? []).map(({ id, name }) => ({ value: id, label: name }));
  return {
    connection: named(connections),
    merchant: named(merchants),
    connections: choices(connections),
    merchants: choices(merchants),
  };
}
