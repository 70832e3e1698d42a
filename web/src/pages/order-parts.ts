import type { Schemas } from '../api/client';
import { isDay } from '../parts/values';

type Order = Schemas['OrderDetailOut'];
type Address = Schemas['AddressOut'];

/** Everything of an order that can be edited, as text. */
export type Parts = Address & { ship_method: string; deliver_on: string; notes: string };
/** By the names that the API uses where it says what differs. */
export type Part = keyof Parts;

export const ADDRESS: [part: keyof Address, label: string][] = [
  ['name', 'Name'],
  ['company', 'Company'],
  ['line1', 'Street'],
  ['line2', 'Second street line'],
  ['city', 'Town or city'],
  ['postcode', 'Postal code'],
  ['state', 'State or county'],
  ['country', 'Country, in two letters'],
  ['phone', 'Telephone'],
  ['email', 'E-mail'],
];

const LABELS = Object.fromEntries([
  ...ADDRESS,
  ['ship_method', 'Shipping method'],
  ['deliver_on', 'Wanted by'],
  ['notes', 'Notes for the warehouse'],
]) as Record<Part, string>;

/** What is edited as one, by the names that the API uses. */
export const FIELDS: Record<Schemas['EditField'], string> = {
  ship_to: 'Address',
  ship_method: 'Shipping method',
  deliver_on: 'Wanted by',
  notes: 'Notes for the warehouse',
};

export const PARTS = Object.keys(LABELS) as Part[];

/** What people call a part that the API names. */
export const called = (part: string) => LABELS[part as Part] ?? part;

/** The day of a moment as a field for a date holds it: midnight UTC is a day without a time, all else goes by the browser's clock. */
function day(at: string | null | undefined): string {
  if (!at) return '';
  const date = new Date(at);
  const local = isDay(at) ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 10);
}

export function filled(order: Order): Parts {
  return {
    ...order.deliver_to,
    ship_method: String(order.ship_method ?? ''),
    deliver_on: day(order.deliver_on),
    notes: order.notes ?? '',
  };
}

/** What was wanted by an edit, to be typed once more. */
export function again(edit: Schemas['OrderEditOut']): Partial<Parts> {
  return Object.fromEntries(
    edit.differences.map(({ part, wanted: text }) => [part, part === 'deliver_on' ? day(text) : text]),
  );
}

/** The edit that makes an order have what was given. An address is given as a whole. */
export function wanted(given: Parts, changed: Part[]): Schemas['OrderEditIn'] {
  const address = Object.fromEntries(ADDRESS.map(([part]) => [part, given[part]]));
  return {
    ...(ADDRESS.some(([part]) => changed.includes(part)) ? { ship_to: address } : {}),
    ...(changed.includes('ship_method') ? { ship_method: Number(given.ship_method) } : {}),
    ...(changed.includes('deliver_on') ? { deliver_on: `${given.deliver_on}T00:00:00Z` } : {}),
    ...(changed.includes('notes') ? { notes: given.notes } : {}),
  };
}
