import createClient, { type ClientPathsWithMethod } from 'openapi-fetch';
import { infiniteQueryOptions, queryOptions, replaceEqualDeep } from '@tanstack/react-query';
import type { components, paths } from './schema';
import { problemOf, type Problem } from './problem';

export type Schemas = components['schemas'];

/** What must come back with each change, so that no other site's page can make one (docs/accounts.md). */
let csrf = '';
/** Asks the person for the password; true when it was right. Set by the shell, which can show a dialog. */
let askProof: () => Promise<boolean> = () => Promise.resolve(false);
/** Told when the session has ended. */
let onEnded: () => void = () => undefined;

export function setCsrf(token: string): void {
  csrf = token;
}

export function setProofAsker(asker: () => Promise<boolean>): void {
  askProof = asker;
}

/** Asks the person for the password now, for what the browser does by itself; true when it was right. */
export function prove(): Promise<boolean> {
  return askProof();
}

export function setEndedListener(listener: () => void): void {
  onEnded = listener;
}

async function kindOf(response: Response): Promise<string> {
  if (response.status !== 401 && response.status !== 403) return '';
  const body: unknown = await response.clone().json().catch(() => undefined);
  return typeof body === 'object' && body !== null && 'type' in body ? String(body.type) : '';
}

/** Sends with the session's token. Where the password is wanted once more, asks for it and sends the same again. */
async function send(request: Request): Promise<Response> {
  const again = request.clone();
  request.headers.set('Millrace-Csrf', csrf);
  const response = await fetch(request);
  const kind = await kindOf(response);
  // Who is signed in is asked anew: the session has ended, or is shut until a second factor is set up.
  if (kind === 'unauthorised' || kind === 'second_factor_owed') onEnded();
  if (kind !== 'proof_needed' || !(await askProof())) return response;
  again.headers.set('Millrace-Csrf', csrf);
  return fetch(again);
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: send });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The version of what was read, as its `ETag` said. */
const versions = new WeakMap<object, string>();

/**
 * Goes with a change as its header: nothing is written when somebody else has changed meanwhile what the change was made from.
 * Where that has no version, nothing is compared.
 */
export function ifMatch(from: object | undefined): { 'If-Match'?: string } {
  const version = from && versions.get(from);
  return version ? { 'If-Match': version } : {};
}

/**
 * What a form's change is made from: what is there now, as long as the part that the form shows is what it was filled with; else
 * what it was filled with, so that the change is refused.
 */
export function basis<T extends object>(filled: T, now: T, part: (of: T) => unknown): T {
  return JSON.stringify(part(filled)) === JSON.stringify(part(now)) ? now : filled;
}

/** Keeps what has not changed the same object, so that it is not drawn anew; its version is that of the newer answer. */
function share(before: unknown, after: unknown): unknown {
  const shared: unknown = replaceEqualDeep(before, after);
  const version = typeof after === 'object' && after !== null ? versions.get(after) : undefined;
  if (version && typeof shared === 'object' && shared !== null) versions.set(shared, version);
  return shared;
}

/** The body of a success. Anything else is thrown as a {@link Problem}. */
export async function done<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch {
    throw problemOf(undefined, 0);
  }
  if (!answer.response.ok) throw problemOf(answer.error, answer.response.status);
  const version = answer.response.headers.get('etag');
  if (version && typeof answer.data === 'object' && answer.data !== null) versions.set(answer.data, version);
  return answer.data as T;
}

type Readable = ClientPathsWithMethod<typeof api, 'get'>;
type Read<P extends Readable> = paths[P]['get'] extends {
  responses: { 200: { content: { 'application/json': infer Body } } };
}
  ? Body
  : never;
type Asked<P extends Readable> = paths[P]['get'] extends { parameters: infer Given }
  ? { [K in 'path' | 'query' as K extends keyof Given ? (Given[K] extends undefined ? never : K) : never]?: K extends keyof Given ? Given[K] : never }
  : never;

type Getter = (path: string, init: unknown) => Promise<Answer<unknown>>;
const get = api.GET as unknown as Getter;

/** A query for one GET route; its key begins with the path, by which live changes find it. */
export function reading<P extends Readable>(path: P, params?: Asked<P>) {
  return queryOptions<Read<P>, Problem>({
    queryKey: [path, params],
    queryFn: ({ signal }) => done(get(path, { params, signal })) as Promise<Read<P>>,
    structuralSharing: share,
  });
}

/**
 * The same for what fills a form: read anew each time the form is opened, so that it begins with what is there, and not by itself
 * while it is filled in.
 */
export function filling<P extends Readable>(path: P, params?: Asked<P>) {
  return { ...reading(path, params), staleTime: Infinity, gcTime: 0 };
}

type Item<P extends Readable> = Read<P> extends { items: (infer I)[] } ? I : never;

export interface Page<T> {
  items: T[];
  next?: string | null;
}

/** The most that a route answers at a time. */
const LARGEST = 500;

/** All of a route that answers a page at a time: for what people pick from, and for short lists that are shown as a whole. */
export function whole<P extends Readable>(path: P, params?: Asked<P>) {
  const given = params as { path?: object; query?: object } | undefined;
  return queryOptions<Item<P>[], Problem>({
    queryKey: [path, given, 'whole'],
    queryFn: async ({ signal }) => {
      const items: Item<P>[] = [];
      let cursor: string | null | undefined;
      do {
        const query = { ...given?.query, limit: LARGEST, cursor };
        const page = (await done(get(path, { params: { ...given, query }, signal }))) as Page<Item<P>>;
        items.push(...page.items);
        cursor = page.next;
      } while (cursor);
      return items;
    },
  });
}

/** The same for a route that answers a page at a time. */
export function paging<P extends Readable>(path: P, params?: Asked<P>) {
  const given = params as { path?: object; query?: object } | undefined;
  return infiniteQueryOptions({
    queryKey: [path, given, 'pages'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      done(get(path, { params: { ...given, query: { ...given?.query, cursor: pageParam } }, signal })) as Promise<
        Page<Item<P>>
      >,
    getNextPageParam: (last: Page<Item<P>>) => last.next ?? undefined,
  });
}
