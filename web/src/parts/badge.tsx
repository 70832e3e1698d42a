import { Badge } from '@mantine/core';
import { words } from './values';

type Tone = 'good' | 'busy' | 'wait' | 'bad' | 'quiet';

const COLOURS: Record<Tone, string> = { good: 'teal', busy: 'blue', wait: 'yellow', bad: 'red', quiet: 'gray' };

/** How each state of anything looks. What is not named here looks quiet. */
const TONES: Record<string, Tone> = {
  // Orders
  new: 'busy',
  queued: 'busy',
  open: 'busy',
  partly_shipped: 'busy',
  shipped: 'good',
  closed: 'good',
  held: 'wait',
  error: 'bad',
  // Effects
  applied: 'good',
  planned: 'busy',
  armed: 'busy',
  probing: 'wait',
  not_sent: 'wait',
  unknown: 'wait',
  absent_confirmed: 'wait',
  refused: 'bad',
  conflict: 'bad',
  parked: 'bad',
  failed: 'bad',
  // Connections
  on: 'good',
  paused: 'bad',
  // Runs of channels
  running: 'busy',
  done: 'good',
  cut_off: 'wait',
  // Stock
  waiting: 'wait',
  correct: 'busy',
  hold: 'wait',
  // Deliveries, links, issues
  delivered: 'good',
  going: 'wait',
  expired: 'wait',
  used: 'good',
};

/** A state, in a word and a colour. The word carries the meaning. */
export function StateBadge({ state, tone, label }: { state: string; tone?: Tone; label?: string }) {
  return (
    <Badge variant="light" color={COLOURS[tone ?? TONES[state] ?? 'quiet']} radius="sm" tt="none" className="state">
      {label ?? words(state)}
    </Badge>
  );
}
