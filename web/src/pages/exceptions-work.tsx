import { useQuery } from '@tanstack/react-query';
import { api, done, reading } from '../api/client';
import { To } from '../parts/link';
import { Works } from '../parts/works';
import { Became, type Deed, type Failure, type Told } from './one-by-one';

export const resolve = (exception: string) =>
  done(api.POST('/api/v1/exceptions/{exception}/resolve', { params: { path: { exception } } }));

/** Says of all of one cause that they are dealt with. */
export const RESOLVE: Deed = {
  list: 'exceptions',
  called: 'exception',
  run: resolve,
  said: (count) => `${count} ${count === 1 ? 'is' : 'are'} dealt with.`,
};

/** An order by its number, a change by what it does. */
export function Example({ id }: { id: string }) {
  const isOrder = id.startsWith('ord_');
  const order = useQuery({ ...reading('/api/v1/orders/{order}', { path: { order: id } }), enabled: isOrder, staleTime: 300_000 });
  const effect = useQuery({ ...reading('/api/v1/effects/{effect}', { path: { effect: id } }), enabled: !isOrder, staleTime: 300_000 });
  return <To href={isOrder ? `/orders/${id}` : `/effects/${id}`}>{order.data?.number ?? effect.data?.title ?? id}</To>;
}

/** One that came in by what it is about; an order or a change as its page. */
export const named = ({ id, called }: Failure) => called ?? <Example id={id} />;

/** What is done to all of one cause, above the causes: they go away as soon as what they kept goes on. */
export function ExceptionsWorks() {
  return <Works<Told> list={RESOLVE.list} told={(work) => <Became work={work} deed={RESOLVE} named={named} />} />;
}
