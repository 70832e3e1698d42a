import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { api, done, filling, ifMatch, type Schemas } from '../../api/client';
import type { Values } from '../../parts/fields';
import type { Settings } from '../settings-part';

export type Kept = Schemas['DraftOut'];
type Side = Schemas['Side'];

/** What was entered for a side that is not made yet; its secrets are kept beside the draft, and never come back. */
export interface Entered {
  name: string;
  platform: string;
  values: Values;
}

/** How far somebody has come with a connection. Kept by the program, for the person who began it; never a secret. */
export interface Draft {
  /** Which of the parts is shown. */
  step: number;
  name: string;
  merchant: string;
  warehouse: string;
  store: string;
  entered: Partial<Record<Side, Entered>>;
  settings: Settings;
}

export const STEPS = ['Basic Information', 'Merchant Information', 'Warehouse Setup', 'Store Setup', 'Pre-flight'];

const part = (step: number, more = '') => ({ step, title: `${STEPS[step] ?? ''}${more}` });

/** What is shown one after the other: a store that can be reached is followed by what is picked from its own lists. */
export const PARTS = [part(0), part(1), part(2), part(3), part(3, ', what to import'), part(4)];

/** What is entered is kept once nothing was typed for so long, in milliseconds. */
export const KEPT_AFTER = 600;

/** Marks the drafts that this wizard has made; programs may keep others. */
const WIZARD = 'connection';

const text = (of: unknown): string => (typeof of === 'string' ? of : '');

/** What a draft holds. Whatever is missing or of another kind is as if it had not been entered. */
export function draftOf({ name, content }: Kept): Draft {
  const given: Record<string, unknown> = content;
  const step = Number(given.step);
  const object = (of: unknown) => (typeof of === 'object' && of !== null ? of : {});
  return {
    // The last part has a connection, and no draft any more.
    step: Number.isInteger(step) ? Math.max(0, Math.min(step, PARTS.length - 2)) : 0,
    name,
    merchant: text(given.merchant),
    warehouse: text(given.warehouse),
    store: text(given.store),
    entered: object(given.entered) as Draft['entered'],
    settings: object(given.settings) as Settings,
  };
}

export function bodyOf({ name, ...content }: Draft, secrets: Values): Schemas['DraftIn'] {
  // The document knows only that it is some object.
  return { name, content: { wizard: WIZARD, ...content } as unknown as Schemas['DraftIn']['content'], secrets };
}

export const isOurs = ({ content }: Kept): boolean => (content as Record<string, unknown>).wizard === WIZARD;

/** A draft as it was left. While it is worked on, nothing but that work changes what is shown. */
export const readingDraft = (draft: string) => filling('/api/v1/drafts/{draft}', { path: { draft } });

/** Begins a draft: it has a name, and the first part is done. */
export function begin(name: string): Promise<Kept> {
  const draft: Draft = { step: 1, name, merchant: '', warehouse: '', store: '', entered: {}, settings: {} };
  return done(api.POST('/api/v1/drafts', { body: bodyOf(draft, {}) }));
}

/** Takes a draft away, with its secrets. */
export function discard(draft: string): Promise<unknown> {
  return done(api.DELETE('/api/v1/drafts/{draft}', { params: { path: { draft } } }));
}

export interface Keeping {
  draft: Draft;
  /** Names of the secrets that the draft holds, by side and field. */
  secrets: Set<string>;
  /** Keeps a part; true once it is kept. Secrets are by side and field; an empty one is forgotten. */
  keep: (part: Partial<Draft>, secrets?: Values) => Promise<boolean>;
  /** A step is being gone. */
  moving: boolean;
  /** Why the last change could not be kept. */
  problem: unknown;
}

/** A draft that is being worked on. Changes are sent in turn, each made from the answer to the one before. */
export function useDraft(kept: Kept): Keeping {
  const client = useQueryClient();
  const [draft, setDraft] = useState(() => draftOf(kept));
  const [secrets, setSecrets] = useState(() => new Set(kept.secrets));
  const [moving, setMoving] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const newest = useRef(draft);
  const from = useRef(kept);
  const turn = useRef<Promise<boolean>>(Promise.resolve(true));
  const here = useRef(true);
  useEffect(() => {
    here.current = true;
    return () => {
      here.current = false;
    };
  }, []);
  const keep = useCallback((part: Partial<Draft>, given: Values = {}) => {
    newest.current = { ...newest.current, ...part };
    const next = newest.current;
    const body = bodyOf(next, given);
    if (part.step !== undefined) setMoving(true);
    turn.current = turn.current.then(async () => {
      const params = { path: { draft: from.current.id }, header: ifMatch(from.current) };
      try {
        from.current = await done(api.PUT('/api/v1/drafts/{draft}', { params, body }));
      } catch (error) {
        if (here.current) {
          setProblem(error);
          setMoving(false);
        }
        return false;
      }
      client.setQueryData(readingDraft(from.current.id).queryKey, from.current);
      await client.invalidateQueries({ queryKey: ['/api/v1/drafts'], refetchType: 'none' });
      if (here.current) {
        setProblem(null);
        // A step is gone once it is kept that it is.
        setDraft(next);
        setMoving(false);
        setSecrets(new Set(from.current.secrets));
      }
      return true;
    });
    return turn.current;
  }, [client]);
  return { draft, secrets, keep, moving, problem };
}
