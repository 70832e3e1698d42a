import { useQuery } from '@tanstack/react-query';
import { choicesOf } from '../api/choices';

/** Methods are seldom renamed, and reading the lists costs calls of the account: kept for so long, in milliseconds. */
const KEPT = 3_600_000;

/** What a shipping method is called; its number until the account's list is read, and where it is not on it. */
export function MethodName({ connection, id }: { connection: string; id: number }) {
  const { data, isPending, errorUpdateCount } = useQuery({
    ...choicesOf(connection),
    // Once: a name is not worth asking an account again that has just refused.
    enabled: ({ state }) => state.data === undefined && state.errorUpdateCount === 0,
    gcTime: KEPT,
  });
  if (isPending && errorUpdateCount === 0) {
    return (
      <span className="quiet" title="Its name is being read from Brightpearl.">
        {id} …
      </span>
    );
  }
  return data?.ship_methods.find((method) => method.id === id)?.name ?? `No. ${id} in Brightpearl`;
}
