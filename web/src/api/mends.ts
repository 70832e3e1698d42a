import type { Schemas } from './client';
import type { Problem } from './problem';

/** Every `type` of a problem document (docs/api.md), and `unreachable`, which is this app's own. */
export type ProblemKind =
  | 'invalid_query'
  | 'invalid_body'
  | 'invalid_idempotency_key'
  | 'unauthorised'
  | 'sign_in_refused'
  | 'second_factor_needed'
  | 'proof_needed'
  | 'second_factor_owed'
  | 'forbidden'
  | 'cross_site'
  | 'not_found'
  | 'method_not_allowed'
  | 'conflict'
  | 'needs_person'
  | 'still_running'
  | 'outcome_unknown'
  | 'shown_once'
  | 'answer_not_kept'
  | 'changed_meanwhile'
  | 'too_large'
  | 'invalid'
  | 'idempotency_key_reused'
  | 'too_many_tries'
  | 'too_many_requests'
  | 'internal'
  | 'setup'
  | 'credentials_refused'
  | 'remote_system'
  | 'unavailable'
  | 'timed_out'
  | 'unreachable';

/** Where the problem is shown. */
export interface Place {
  pathname: string;
  /** The connection that the page is about, where it is about one. */
  connection: string | undefined;
}

export type Who = 'anybody' | 'signed_in' | 'decides' | 'administers';

/** A page that mends something, for somebody who may do so there. */
export interface Way {
  label: string;
  to: string;
}

export interface Mend {
  label: string;
  /** The page, or nothing where there is none from here; `proof` asks for the password. */
  to: string | ((place: Place) => string | undefined);
  /** Only for details like this: many kinds have more than one cause. */
  about?: RegExp;
  who: Who;
}

const of = (part: string) => ({ connection }: Place) => connection && `/connections/${connection}${part}`;

const PROOF: Mend = { label: 'Give your password', to: 'proof', who: 'signed_in' };
const SAFETY: Mend = { label: 'To Safety', to: '/safety', who: 'decides' };
const TO_MAPPINGS: Mend = { label: 'To the mappings', to: of('/mappings'), who: 'decides' };
const TO_SETTINGS: Mend = { label: 'To the settings', to: of('/settings'), who: 'administers' };
const MAPPINGS: Mend = { ...TO_MAPPINGS, about: /not mapped|mappings|\bkit /i };
const SETTINGS: Mend = { ...TO_SETTINGS, about: /settings|import_statuses|import_warehouses|increases|facility|ship_method/i };
const BUDGET: Mend = { label: 'To the API budget', to: '/budget', about: /too many|throttl|\bcalls\b|\bcredits\b|budget/i, who: 'decides' };
const TEST: Mend = { label: 'To the connection, to test it', to: of(''), who: 'decides' };

/** What mends each kind of problem; the first that fits is offered. Where there is nothing, its own words must do. */
export const MENDS: Record<ProblemKind, Mend[]> = {
  unauthorised: [{ label: 'Sign in', to: '/sign-in', who: 'anybody' }],
  proof_needed: [PROOF],
  second_factor_needed: [PROOF],
  second_factor_owed: [{ label: 'To your account', to: '/account', who: 'signed_in' }],
  forbidden: [{ label: 'What you may do', to: '/account', who: 'signed_in' }],
  needs_person: [SAFETY],
  conflict: [
    { ...SAFETY, about: /sending is frozen/ },
    MAPPINGS,
    { label: 'To its orders', to: ({ connection }) => connection && `/orders?connection=${connection}`, about: /work in flight/, who: 'decides' },
    { label: 'To the connection', to: of(''), about: /switched (on|off)/, who: 'decides' },
    { label: 'To the connections', to: '/connections', about: /drafts already|stock channel cannot/, who: 'administers' },
    { label: 'To the webhooks', to: '/webhooks', about: /webhooks and alert channels already/, who: 'administers' },
    SETTINGS,
  ],
  invalid: [MAPPINGS, SETTINGS],
  credentials_refused: [
    // The wizard has the credentials before it.
    {
      label: 'To the credentials',
      to: ({ connection, pathname }) =>
        connection ? `/connections/${connection}/settings` : pathname === '/connections/add' ? undefined : '/connections',
      who: 'administers',
    },
    { label: 'To the connection', to: of(''), who: 'decides' },
  ],
  remote_system: [BUDGET, TEST],
  unavailable: [],
  setup: [],
  invalid_query: [],
  invalid_body: [],
  invalid_idempotency_key: [],
  sign_in_refused: [],
  cross_site: [],
  not_found: [],
  method_not_allowed: [],
  still_running: [],
  outcome_unknown: [],
  shown_once: [],
  answer_not_kept: [],
  changed_meanwhile: [],
  too_large: [],
  idempotency_key_reused: [],
  too_many_tries: [],
  too_many_requests: [],
  internal: [],
  timed_out: [],
  unreachable: [],
};

/** The first that fits what was said, for somebody who may do so and is somewhere else. */
function first(mends: Mend[], words: string, place: Place, may: Record<Who, boolean>): Way | undefined {
  for (const { label, to, about, who } of mends) {
    if (!may[who] || (about && !about.test(words))) continue;
    const href = typeof to === 'string' ? to : to(place);
    if (href && href.split('?')[0] !== place.pathname) return { label, to: href };
  }
  return undefined;
}

/** What mends this problem, for somebody who may do so and is somewhere else. */
export function mendOf(problem: Problem, place: Place, may: Record<Who, boolean>): Way | undefined {
  const { told } = problem;
  const words = [told.detail, ...(told.problems ?? []).map(({ at, problem: why }) => `${at} ${why}`)].join('\n');
  return first(MENDS[told.type as ProblemKind] ?? [], words, place, may);
}

/** Why a run of a channel failed: the program keeps its words, and no kind. A setting stands before what is wrong with it. */
const OF_RUNS: Mend[] = [
  { ...SAFETY, about: /\bfrozen\b/ },
  BUDGET,
  MAPPINGS,
  {
    ...TO_SETTINGS,
    label: 'To the credentials',
    about: /password|credentials|\btoken\b|sign-in|log-in|API key|host key|Connect at Brightpearl/i,
  },
  { ...TO_SETTINGS, about: /^[a-z_]+(\.[a-z_]+)*: / },
  TEST,
];

type Connection = Schemas['ConnectionOut'];

/**
 * What mends that sides are paused: a side is paused because its credentials are refused, or because it cannot be worked with as it
 * is set. Both are entered in the settings.
 */
export function mendOfPause({ id, paused }: Connection, place: Place, may: Record<Who, boolean>): Way | undefined {
  const sides = Object.keys(paused ?? {});
  if (sides.length === 0) return undefined;
  const whose = sides.length === 1 ? ` of the ${sides[0]}` : '';
  return first([{ ...TO_SETTINGS, label: `To the credentials${whose}` }], '', { ...place, connection: id }, may);
}

/** What mends that the last run of a channel failed: what its connection is paused for comes first. */
export function mendOfRun(connection: Connection, words: string, place: Place, may: Record<Who, boolean>): Way | undefined {
  return mendOfPause(connection, place, may) ?? first(OF_RUNS, words, { ...place, connection: connection.id }, may);
}

/** What mends what a connection lacks: it is set wrongly, or shares its orders with another one. Some can be mended by mapping too. */
export function mendsOfLacks({ id, problems, warnings }: Schemas['ConnectionDetailOut'], place: Place, may: Record<Who, boolean>): Way[] {
  const here = { ...place, connection: id };
  const ways: (Way | undefined)[] = [];
  const overlaps = warnings.some((warning) => warning.includes('overlapping filters'));
  if (problems.length > 0 || overlaps) ways.push(first([TO_SETTINGS], '', here, may));
  if (problems.some((problem) => /\blocations\b/.test(problem))) ways.push(first([TO_MAPPINGS], '', here, may));
  return ways.filter((way) => way !== undefined);
}
