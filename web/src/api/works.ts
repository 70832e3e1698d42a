import { useSyncExternalStore } from 'react';
import { Problem, problemFrom } from './problem';

/** Something that is done to many: on its way, or as it ended. */
export interface Work<Told> {
  id: number;
  /** The list above which it is found again. */
  list: string;
  title: string;
  /** To how many; so many of them were gone through. */
  total: number;
  through: number;
  /** All of it is one request: how far that has come is not known before its end. */
  isWhole: boolean;
  /** What became of them, as far as it is known, and what is left: plain data, which is found again after a reload. */
  told: Told;
  isGoing: boolean;
  /** The page was loaded anew before it ended. What was under way then may have been done or not. */
  isCut: boolean;
  /** Why it ended before all were gone through. */
  problem: Problem | undefined;
}

type Begun<Told> = Pick<Work<Told>, 'list' | 'title' | 'total' | 'told'> & Partial<Pick<Work<Told>, 'through' | 'isWhole'>>;

/** Of those that have ended, so many are kept for each list. */
const KEPT = 5;

/** Within so many milliseconds a page that is left is gone. */
const LEAVING = 1_000;

/** Held here and not by a page or a dialog, so that either can be left and the work is found again. Newest first. */
let works: Work<unknown>[] = [];
let last = 0;
/** Whose they are, once that is known. */
let owner = '';
const listeners = new Set<() => void>();

/** As a work is kept in the window's own storage: a reload ends the requests, and what is left to do must outlive it. */
type Kept = Omit<Work<unknown>, 'problem'> & { problem?: Problem['told'] | undefined };

const STORED = 'millrace.works.';

function keep(): void {
  const kept = works.map(({ problem, ...work }): Kept => ({ ...work, problem: problem?.told }));
  try {
    if (kept.length > 0) window.sessionStorage.setItem(STORED + owner, JSON.stringify(kept));
    else window.sessionStorage.removeItem(STORED + owner);
  } catch {
    // The browser allows none, or has no room: the works are then those of this page alone.
  }
}

/** What was kept before a reload; whatever went on then was cut off by it. */
function found(): Work<unknown>[] {
  try {
    const kept = JSON.parse(window.sessionStorage.getItem(STORED + owner) ?? '[]') as Kept[];
    return kept.map(({ problem, isGoing, ...work }) => ({
      ...work,
      isGoing: false,
      isCut: work.isCut || isGoing,
      problem: problem && new Problem(problem),
    }));
  } catch {
    return [];
  }
}

/** Takes what others left in this window's storage away. */
function sweep(): void {
  try {
    for (const key of Object.keys(window.sessionStorage)) {
      if (key.startsWith(STORED) && key !== STORED + owner) window.sessionStorage.removeItem(key);
    }
  } catch {
    // The browser allows none: nothing is there.
  }
}

/** Whoever closes the window is asked first. */
function warn(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

function put(next: Work<unknown>[]): void {
  const ended = new Map<string, number>();
  works = next.filter(({ list, isGoing }) => {
    if (isGoing) return true;
    const count = (ended.get(list) ?? 0) + 1;
    ended.set(list, count);
    return count <= KEPT;
  });
  if (works.some(({ isGoing }) => isGoing)) window.addEventListener('beforeunload', warn);
  else window.removeEventListener('beforeunload', warn);
  if (owner) keep();
  for (const listener of listeners) listener();
}

/** Somebody is signed in: what they began in this window is found again, and nothing that anybody else did. */
export function recall(person: string): void {
  if (person === owner) return;
  owner = person;
  sweep();
  works = [];
  const before = found();
  last = Math.max(last, ...before.map(({ id }) => id));
  put(before);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What was begun from a list, the newest first, until it is put away. */
export function useWorks<Told>(list: string): Work<Told>[] {
  const all = useSyncExternalStore(subscribe, () => works);
  return all.filter((work) => work.list === list) as Work<Told>[];
}

/** Begins something that goes on whatever becomes of the page, and tells `came` how far it has come. The id of the work. */
export function begin<Told>(given: Begun<Told>, run: (came: (through: number, told: Told) => void) => Promise<void>): number {
  last += 1;
  const id = last;
  const change = (now: Partial<Work<Told>>) => put(works.map((work) => (work.id === id ? { ...work, ...now } : work)));
  put([{ through: 0, isWhole: false, ...given, id, isGoing: true, isCut: false, problem: undefined }, ...works]);
  run((through, told) => change({ through, told })).then(
    () => change({ isGoing: false }),
    (error: unknown) => {
      const problem = problemFrom(error);
      const tell = () => change({ isGoing: false, problem });
      // A page that is being left gets no answer either: then nobody is here any more when this is told, and it was cut off.
      if (problem.told.status === 0) window.setTimeout(tell, LEAVING);
      else tell();
    },
  );
  return id;
}

/** Puts one that has ended away. */
export function forget(id: number): void {
  put(works.filter((work) => work.id !== id));
}

/** A session has ended by itself: nothing is shown to who comes next. Whoever signs in again in this window finds their own. */
export function hideAll(): void {
  works = [];
  owner = '';
  for (const listener of listeners) listener();
}

/** Somebody signs out: nothing of theirs is shown to who comes next, or kept. */
export function forgetAll(): void {
  put([]);
  owner = '';
}
