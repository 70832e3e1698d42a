import type { Query, QueryClient } from '@tanstack/react-query';

/** A list of more pages than this is not read anew as a whole: with each change that would be so many requests. */
export const DEEP = 4;

function isDeep(query: Query): boolean {
  const data = query.state.data;
  return typeof data === 'object' && data !== null && 'pages' in data && Array.isArray(data.pages) && data.pages.length > DEEP;
}

/** Makes what fits be read again: at once where it is shown, and short; a long list only says that it is not the newest. */
export async function reread(client: QueryClient, fits: (query: Query) => boolean = () => true): Promise<void> {
  await Promise.all([
    client.invalidateQueries({ predicate: (query) => fits(query) && !isDeep(query) }),
    client.invalidateQueries({ predicate: (query) => fits(query) && isDeep(query), refetchType: 'none' }),
  ]);
}
