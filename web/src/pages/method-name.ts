import { useQuery } from '@tanstack/react-query';
import { choicesOf } from '../api/choices';

/** What a shipping method is called, where its list was read for something else: that costs calls of the account. */
export function useMethodName(connection: string) {
  const { data } = useQuery({ ...choicesOf(connection), enabled: false });
  return (id: number) => data?.ship_methods.find((method) => method.id === id)?.name ?? `No. ${id} in Brightpearl`;
}
