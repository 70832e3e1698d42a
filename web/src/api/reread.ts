import type { Query, QueryClient } from '@tanstack/react-query';

/** A list of more pages than this is not read anew as a whole: with each change that would be so many requests. */
export const DEEP = 4;

function isDeep(query: Query): boolean {
  const data = query.state.data;
  return typeof data === 'object' && data !== null && 'pages' in data && Array.isArray(data.pages) && data.pages.length > DEEP;
}

/**
 * The account's own lists come from Brightpearl, at the cost of calls and sometimes of waiting for them; what is changed here does
 * not change them. Those that could not be read are tried again.
 */
function isOfAccount(query: Query): boolean {
  const path = query.queryKey[0];
  return typeof path === 'string' && path.endsWith('/choices') && query.state.status !== 'error';
}

/** Makes what fits be read again: at once where it is shown, and short; a long list only says that it is not the newest. */
export async function reread(client: QueryClient, wanted: (query: Query) => boolean = () => true): Promise<void> {
  const fits = (query: Query) => wanted(query) && !isOfAccount(query);
  await Promise.all([
    client.invalidateQueries({ predicate: (query) => fits(query) && !isDeep(query) }),
    client.invalidateQueries({ predicate: (query) => fits(query) && isDeep(query), refetchType: 'none' }),
  ]);
}
