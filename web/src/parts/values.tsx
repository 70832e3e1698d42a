import { Text, type TextProps } from '@mantine/core';

const MINUTE = 60_000;
const DAY = 86_400_000;
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', DAY],
  ['hour', 3_600_000],
  ['minute', MINUTE],
  ['second', 1_000],
];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
/** The clock that times are shown by: the browser's, which need not be the account's. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
// With the name of the zone.
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });
// Narrow enough for a column: the year only where it would not be guessed, and then without the clock.
const short = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeZone: 'UTC' });
const distant = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

/** Who carries it and how; many carriers have one service only, which has no name. */
export function carriage({ carrier, service }: { carrier: string; service: string }): string {
  return [carrier, service].filter(Boolean).join(' ');
}

/** "3 minutes ago", "in 2 hours", "now". */
export function ago(at: string, now = Date.now()): string {
  const span = new Date(at).getTime() - now;
  if (Math.abs(span) < 5_000) return 'now';
  const [unit, size] = UNITS.find(([, length]) => Math.abs(span) >= length) ?? ['second', 1_000];
  return relative.format(Math.round(span / size), unit);
}

/**
 * A moment: near ones by distance, others by date; the exact one on hover and for screen readers' `time`. `past` stands for one
 * that was to come and is over.
 */
export function Time({ at, none = '–', past }: { at: string | null | undefined; none?: string; past?: string }) {
  if (!at) return <span>{none}</span>;
  const date = new Date(at);
  const span = Math.abs(Date.now() - date.getTime());
  const shown = span < DAY ? ago(at) : (span < 180 * DAY ? short : distant).format(date);
  return (
    // The browser's own tip: lists have hundreds of these.
    <time dateTime={at} className="nowrap" title={exact.format(date)}>
      {past && date.getTime() < Date.now() ? past : shown}
    </time>
  );
}

/** Whether a moment stands for a day without a time. The API keeps one as midnight UTC of that day. */
export function isDay(at: string): boolean {
  return new Date(at).getTime() % DAY === 0;
}

/** When an order is wanted: a day is the same day in every zone. */
export function Wanted({ at }: { at: string }) {
  if (!isDay(at)) return <Time at={at} />;
  return (
    <time dateTime={at.slice(0, 10)} className="nowrap">
      {day.format(new Date(at))}
    </time>
  );
}

/** Text that a narrow column may cut, after a line or after two; the whole of it on hover. */
export function Cut({ children, twice = false }: { children: string; twice?: boolean }) {
  return (
    <span title={children} className={twice ? 'twice' : undefined}>
      {children}
    </span>
  );
}

/** A moment to the second, to be read beside others; how far away it is on hover. */
export function Exact({ at }: { at: string }) {
  return (
    <time dateTime={at} className="nowrap" title={ago(at)}>
      {exact.format(new Date(at))}
    </time>
  );
}

/** How long something took, from milliseconds. In seconds for minutes on end: what stands side by side is to be compared. */
export function took(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  if (ms < 10 * MINUTE) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 60 * MINUTE) return `${Math.round(ms / MINUTE)} min`;
  if (ms < 2_880 * MINUTE) return `${(ms / (60 * MINUTE)).toFixed(1)} h`;
  return `${Math.round(ms / (1_440 * MINUTE))} days`;
}

/** What a run did, without what it had none of: `0 in scope, 2 read: 2 sent on` → `2 read, 2 sent on`. */
export function told(summary: string): string {
  if (summary === '') return '';
  const some = summary.split(/, |: /).filter((part) => !part.startsWith('0 '));
  return some.length > 0 ? some.join(', ') : 'Nothing was new';
}

/** How large a file is. */
export function bytes(count: number): string {
  const [unit, size] = ([['GB', 1e9], ['MB', 1e6], ['kB', 1e3]] as const).find(([, least]) => count >= least) ?? ['bytes', 1];
  return `${size === 1 ? count : (count / size).toFixed(1)} ${unit}`;
}

/** Every so many seconds, in words. */
export function every(seconds: number): string {
  if (seconds === 1) return 'every second';
  if (seconds % 3_600 === 0) return seconds === 3_600 ? 'every hour' : `every ${seconds / 3_600} hours`;
  if (seconds % 60 === 0) return seconds === 60 ? 'every minute' : `every ${seconds / 60} minutes`;
  return `every ${seconds} seconds`;
}

/** When a channel runs, in words: its rules, or its own pace in the largest unit that fits. */
export function runs({ recurrence, every_seconds }: { recurrence: string; every_seconds: number }): string {
  return recurrence === `every ${every_seconds} seconds` || every_seconds === 1 ? every(every_seconds) : recurrence;
}

/** A decimal of the API as people write it: without zeros at its end. Never through floating point. */
export function plain(quantity: string): string {
  return quantity.includes('.') ? quantity.replace(/0+$/, '').replace(/\.$/, '') : quantity;
}

/** Units. `signed` shows a plus, for differences. */
export function Quantity({ of, signed = false }: { of: string | null | undefined; signed?: boolean }) {
  if (of === null || of === undefined) return <span>–</span>;
  const text = plain(of);
  const isMore = signed && !text.startsWith('-') && text !== '0';
  return <span className="figure">{isMore ? `+${text}` : text.replace(/^-/, '−')}</span>;
}

/** How many places behind the point an amount has at least: as its currency has them. */
function placesOf(currency: string): number {
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    // What is no code of a currency is shown as it is.
    return 2;
  }
}

/** An amount, with the code of its currency. Never through floating point: what is more exact than the currency stays so. */
export function Money({ of }: { of: { amount: string; currency: string } | null | undefined }) {
  if (!of) return <span>–</span>;
  const [whole = '0', part = ''] = plain(of.amount).split('.');
  const shown = part.padEnd(placesOf(of.currency), '0');
  return (
    <span className="figure">
      {whole.replace(/^-/, '−')}
      {shown && `.${shown}`} {of.currency}
    </span>
  );
}

/** An id or key, to be read letter by letter. */
export function Code({ children, ...rest }: { children: string } & TextProps) {
  return (
    <Text span ff="monospace" size="sm" className="breaks" {...rest}>
      {children}
    </Text>
  );
}

/** A text of the program, with the commands that it names in backticks set apart. */
export function Prose({ children }: { children: string }) {
  return children.split('`').map((part, place) => (place % 2 === 1 ? <Code key={`${place} ${part}`}>{part}</Code> : part));
}

/** `needs_person` → `Needs person`. */
export function words(name: string): string {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Ids by their kind and their end, which tells them from others. */
function shortened(text: string): string {
  return text.replace(/\b([a-z]{3})_[0-9A-Z]{20}([0-9A-Z]{6})\b/g, '$1_…$2');
}

/** Who did something: of `person per_… (ada@example.com)` what stands behind the id. */
export function nameOf(actor: string): string {
  return /\(([^()]+)\)$/.exec(actor)?.[1] ?? actor;
}

/** The same, short. */
export function who(actor: string): string {
  return shortened(nameOf(actor));
}
