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

type Who = 'anybody' | 'signed_in' | 'decides' | 'administers';

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
const MAPPINGS: Mend = { label: 'To the mappings', to: of('/mappings'), about: /not mapped|mappings|\bkit /i, who: 'decides' };
const SETTINGS: Mend = {
  label: 'To the settings',
  to: of('/settings'),
  about: /settings|import_statuses|import_warehouses|increases|facility|ship_method/i,
  who: 'administers',
};

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
  remote_system: [
    { label: 'To the API budget', to: '/budget', about: /too many|throttl|\bcalls\b|\bcredits\b|budget/i, who: 'decides' },
    { label: 'To the connection, to test it', to: of(''), who: 'decides' },
  ],
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

/** What mends this problem, for somebody who may do so and is somewhere else. */
export function mendOf(problem: Problem, place: Place, may: Record<Who, boolean>): { label: string; to: string } | undefined {
  const { told } = problem;
  const words = [told.detail, ...(told.problems ?? []).map(({ at, problem: why }) => `${at} ${why}`)].join('\n');
  for (const { label, to, about, who } of MENDS[told.type as ProblemKind] ?? []) {
    if (!may[who] || (about && !about.test(words))) continue;
    const href = typeof to === 'string' ? to : to(place);
    if (href && href.split('?')[0] !== place.pathname) return { label, to: href };
  }
  return undefined;
}
