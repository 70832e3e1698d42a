import type { Schemas } from '../api/client';
import type { Deed } from '../parts/timeline';
import { who, words } from '../parts/values';
import { actionInWords } from './audit-words';
import { FIELDS } from './order-parts';

/** Something that somebody did with an order, as its timeline shows it. */
export function deedOf({ at, actor, action, detail }: Schemas['DeedOut']): Deed {
  const { reason, answer, ...others }: Record<string, unknown> = detail;
  const edited = Object.entries(FIELDS).flatMap(([field, title]) => (field in others ? [title] : []));
  const further = [...(typeof answer === 'string' ? [words(answer)] : []), ...edited].join(', ');
  return { at, title: actionInWords(action), who: who(actor), reason: typeof reason === 'string' ? reason : '', further };
}
