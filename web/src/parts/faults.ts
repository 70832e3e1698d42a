import { useMemo } from 'react';
import type { Schemas } from '../api/client';
import { problemFrom, sentence } from '../api/problem';

type Fault = Schemas['Problem'];

/** What an answer found wrong with single fields of a form. */
export interface Faults {
  /** What is wrong at a place, for as long as the value there is the one that was refused: an edit forgives it. */
  at: (place: string, value: unknown) => string | undefined;
  /** Whether something is wrong at one of these places, whatever their values; where they are folded away, they are shown. */
  within: (places: string[]) => boolean;
  /** What no field of the form has asked for. Known once the fields are drawn, so the note stands behind them. */
  left: () => Fault[];
  /** How many fields still say that something is wrong. */
  standing: () => number;
}

/** Places look like `settings.host`, `stock.batch` or `name`; a form knows the end of them. */
const isAt = (fault: Fault, place: string): boolean => fault.at === place || fault.at.endsWith(`.${place}`);

/** What is wrong by field, from the answer that a change was refused with. */
export function useFaults(error: unknown): Faults {
  return useMemo(() => faultsOf(error), [error]);
}

function faultsOf(error: unknown): Faults {
  const faults: Fault[] = error ? (problemFrom(error).told.problems ?? []) : [];
  // The value that each place had when the answer came, and whether it has it still.
  const refused = new Map<string, string>();
  const standing = new Set<string>();
  return {
    at(place, value) {
      const fault = faults.find((one) => isAt(one, place));
      if (!fault) return undefined;
      const now = JSON.stringify(value ?? null);
      if (!refused.has(place)) refused.set(place, now);
      const stands = refused.get(place) === now;
      if (stands) standing.add(place);
      else standing.delete(place);
      return stands ? sentence(fault.problem) : undefined;
    },
    within: (places) => faults.some((fault) => places.some((place) => isAt(fault, place))),
    left: () => faults.filter((fault) => ![...refused.keys()].some((place) => isAt(fault, place))),
    standing: () => standing.size,
  };
}
