import { useQuery } from '@tanstack/react-query';
import { reading, type Schemas } from './client';

/** Systems' own lists change seldom, and reading them costs calls there. */
const SELDOM = { staleTime: 300_000 };

/** The account's own lists: statuses, warehouses, shipping methods. */
export function choicesOf(connection: string) {
  return { ...reading('/api/v1/connections/{connection}/choices', { path: { connection } }), ...SELDOM };
}

export type Listed = Schemas['WarehouseChoicesOut'];

const NOTHING: Listed = { facilities: [], carriers: [] };

/**
 * What the warehouse lists: facilities and carriers. Nothing until it is read, where it lists nothing, and where it cannot be
 * reached: what is picked from it can be typed as well, so nobody waits for it.
 */
export function useListed(warehouse: string | undefined): Listed {
  const { data } = useQuery({
    ...reading('/api/v1/warehouses/{warehouse}/choices', { path: { warehouse: warehouse ?? '' } }),
    ...SELDOM,
    retry: false,
    enabled: Boolean(warehouse),
  });
  return data ?? NOTHING;
}

/** The same of a connection's warehouse. */
export function useListedOf(connection: string): Listed {
  const { data } = useQuery(reading('/api/v1/connections/{connection}', { path: { connection } }));
  return useListed(data?.warehouse);
}
