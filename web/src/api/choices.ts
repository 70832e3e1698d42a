import { reading } from './client';

/** The account's own lists: statuses, warehouses, shipping methods. Reading them costs calls of the account, so it is not done often. */
export function choicesOf(connection: string) {
  return { ...reading('/api/v1/connections/{connection}/choices', { path: { connection } }), staleTime: 300_000 };
}
