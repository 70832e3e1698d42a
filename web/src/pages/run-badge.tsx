import { StateBadge } from '../parts/badge';

/** Where a stock run stands. What it planned is done by the journal, line by line. */
export function RunBadge({ state }: { state: string }) {
  if (state === 'planned') return <StateBadge state={state} tone="good" label="Acted upon" />;
  if (state === 'refused') return <StateBadge state={state} tone="bad" label="Stopped by a limit" />;
  return <StateBadge state={state} />;
}
