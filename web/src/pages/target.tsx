import { To } from '../parts/link';

/** What an id of each kind names. */
const KINDS: Record<string, string> = {
  ord: 'order',
  shr: 'request',
  shp: 'shipment',
  con: 'connection',
  sto: 'store',
  whs: 'warehouse',
  mer: 'merchant',
  ten: 'tenant',
  eff: 'change',
  run: 'stock run',
  per: 'person',
  key: 'key',
  ses: 'session',
  lnk: 'link',
  whk: 'webhook',
  alc: 'alert channel',
  exc: 'exception',
  fnd: 'finding',
  dft: 'draft',
  bak: 'backup',
};

const PAGES: Record<string, string> = {
  ord: '/orders/',
  shp: '/shipments/',
  con: '/connections/',
  eff: '/effects/',
  run: '/stock/runs/',
  per: '/people/',
  mer: '/merchants/',
};

/** An id, by its kind and its end, leading to the page of what it names where there is one; the whole of it on hover. */
export function Target({ id }: { id: string }) {
  const prefix = id.split('_')[0] ?? '';
  const kind = KINDS[prefix];
  const page = PAGES[prefix];
  const short = (
    <span className="nowrap" title={id}>
      {kind ? `${kind} …${id.slice(-5)}` : id || '–'}
    </span>
  );
  return page ? <To href={`${page}${id}`}>{short}</To> : short;
}
