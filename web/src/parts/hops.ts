import type { Schemas } from '../api/client';
import { carriage } from './values';

type Order = Schemas['OrderDetailOut'];
type Effect = Schemas['EffectOut'];

/** One station on an order's way. */
export interface Hop {
  title: string;
  /** What happens there, for somebody who sees it for the first time. */
  about: string;
  /** When it was passed. */
  at: string | null;
  /** What it takes to be passed. */
  waits: string;
  /** What can be seen there: a key, a number, a tracking number. */
  proof: string;
  /** The change that it waits for, once it is planned. */
  effect?: string | undefined;
}

const passed = (effect: Effect | undefined) => (effect?.state === 'applied' ? effect.changed_at : null);
const latest = (moments: (string | null)[]) =>
  moments.length > 0 && moments.every((moment) => moment !== null) ? (moments as string[]).sort().at(-1) ?? null : null;

/** The way of an order from Brightpearl to the warehouse and back, with what was passed so far. */
export function hops(order: Order): Hop[] {
  const of = (kind: string) => order.effects.filter((effect) => effect.kind === kind);
  const request = order.requests.filter((one) => !one.given_up).at(-1);
  const submit = of('submit_request').at(-1);
  const notes = of('create_note');
  const tracking = of('update_shipping');
  const told = of('post_shipped');
  const shipment = order.shipments[0];
  // A request made from a note has the note's number in its key.
  const byNote = request !== undefined && /-G\d+/.test(request.key);
  const numbers = order.shipments.flatMap((one) => one.tracking);
  return [
    { title: 'Placed', about: 'A customer placed it, and it stands in Brightpearl.', at: order.placed_at, waits: '', proof: `Order ${order.number}` },
    {
      title: 'Found',
      about: byNote
        ? 'A goods-out note for this warehouse was made in Brightpearl.'
        : 'Its status is one that the connection imports from.',
      at: order.imported_at,
      waits: 'the next look at Brightpearl',
      proof: order.reference && `Reference ${order.reference}`,
    },
    {
      title: 'Planned',
      about: 'SKUs and shipping method are translated, and what the warehouse shall ship is written down.',
      at: submit?.created_at ?? (request ? order.imported_at : null),
      waits: 'a look at all that it needs',
      proof: request ? `${request.lines.length === 1 ? '1 line' : `${request.lines.length} lines`}, key ${request.key}` : '',
    },
    {
      title: 'At the warehouse',
      about: 'The warehouse has the order.',
      at: passed(submit),
      waits: 'the warehouse to take it',
      proof: submit?.reference ?? '',
      effect: submit?.id,
    },
    {
      title: 'Shipped',
      about: 'Goods left the warehouse, and Millrace has read so.',
      at: shipment?.shipped_at ?? null,
      waits: 'goods to leave the warehouse',
      proof: shipment ? [carriage(shipment), shipment.reference].filter(Boolean).join(', ') : '',
    },
    {
      title: 'Goods-out note',
      about: 'Brightpearl gets a note of exactly what left.',
      at: latest(notes.map(passed)) ?? (request?.note && shipment ? shipment.shipped_at : null),
      waits: 'the shipment',
      proof: notes.map((note) => note.reference).filter(Boolean).join(', ') || (request?.note ? `Note ${request.note}` : ''),
      effect: notes.at(-1)?.id,
    },
    {
      title: 'Tracking',
      about: 'Carrier and tracking numbers are written on the note; the customer can be told.',
      at: latest(tracking.map(passed)),
      waits: 'the goods-out note',
      proof: numbers.join(', '),
      effect: tracking.at(-1)?.id,
    },
    {
      title: 'Brightpearl knows',
      about: 'The note is marked as shipped: stock, accounts and the shop follow by themselves.',
      at: latest(told.map(passed)),
      waits: 'note and tracking',
      proof: '',
      effect: told.at(-1)?.id,
    },
  ];
}

/** The first order has gone all the way: the last station is passed, and nothing of it is left to do. */
export function isProven(order: Order): boolean {
  return ['shipped', 'closed'].includes(order.state) && hops(order).at(-1)?.at !== null;
}
