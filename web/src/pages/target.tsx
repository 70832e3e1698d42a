import { To } from '../parts/link';
import { Code } from '../parts/values';

/** What an id of each kind names, and the page that shows it: its own where the address ends with `/`, else the list it stands in. */
const KINDS: Record<string, [name: string, page?: string]> = {
  ord: ['order', '/orders/'],
  shr: ['request'],
  shp: ['shipment', '/shipments/'],
  con: ['connection', '/connections/'],
  sto: ['store'],
  whs: ['warehouse'],
  mer: ['merchant', '/merchants/'],
  ten: ['tenant', '/tenants'],
  eff: ['change', '/effects/'],
  run: ['stock run', '/stock/runs/'],
  per: ['person', '/people/'],
  key: ['key', '/keys'],
  ses: ['session'],
  lnk: ['link'],
  whk: ['webhook', '/webhooks'],
  alc: ['alert channel', '/alerts'],
  dlv: ['delivery', '/deliveries/'],
  iss: ['issue', '/issues'],
  exc: ['exception', '/exceptions'],
  fnd: ['finding', '/findings'],
  dft: ['draft', '/connections'],
  bak: ['backup', '/safety'],
};

/** What an id names: by its kind and name, with the whole id on hover; without a name by the whole id. It leads to its page. */
export function Target({ id, name }: { id: string; name: string | undefined }) {
  const [kind, page] = KINDS[id.split('_')[0] ?? ''] ?? [];
  if (!kind) return <span className="breaks">{id || '–'}</span>;
  const what = (
    <span className="breaks" title={id}>
      {name ? `${kind} ${name}` : <>{kind} <Code size="xs">{id}</Code></>}
    </span>
  );
  return page ? <To href={page.endsWith('/') ? page + id : page}>{what}</To> : what;
}
