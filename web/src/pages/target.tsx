import { To } from '../parts/link';
import { Code } from '../parts/values';

const PAGES: Record<string, string> = {
  ord: '/orders/',
  shp: '/shipments/',
  con: '/connections/',
  eff: '/effects/',
  run: '/stock/runs/',
  per: '/people/',
};

/** An id, leading to the page of what it names where there is one. */
export function Target({ id }: { id: string }) {
  const page = PAGES[id.split('_')[0] ?? ''];
  const short = <Code>{id || '–'}</Code>;
  return page ? <To href={`${page}${id}`}>{short}</To> : short;
}
