import type { Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { StateBadge } from '../parts/badge';

const VERDICTS: Record<string, string> = { correct: 'Correct it', hold: 'Hold it back', skip: 'Leave it', same: 'It agrees' };

/** What a run makes of a line. */
export function VerdictBadge({ verdict }: { verdict: string }) {
  return <StateBadge state={verdict} label={VERDICTS[verdict]} />;
}

/** Why a run stands where it does; of one that went on, why it had waited. */
export function reasonOf({ reason, state }: Pick<Schemas['RunOut'], 'reason' | 'state'>): string {
  if (!reason) return '';
  return state === 'planned' ? `Before it was acted upon: ${reason}.` : sentence(reason);
}

/** Where a stock run stands. What it planned is done by the journal, line by line. */
export function RunBadge({ state }: { state: string }) {
  if (state === 'planned') return <StateBadge state={state} tone="good" label="Acted upon" />;
  if (state === 'refused') return <StateBadge state={state} tone="bad" label="Stopped by a limit" />;
  return <StateBadge state={state} />;
}
