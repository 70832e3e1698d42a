import { useQuery } from '@tanstack/react-query';
import { reading } from '../api/client';

/** What a shipping method is called, where its list was read for something else: that costs calls of the account. */
export function useMethodName(connection: string) {
  const of = reading('/api/v1/connections/{connection}/choices', { path: { connection } });
  const { data } = useQuery({ ...of, enabled: false });
  return (id: number) => data?.ship_methods.find((method) => method.id === id)?.name ?? `No. ${id} in Brightpearl`;
}
