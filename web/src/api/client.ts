import createClient, { type ClientPathsWithMethod } from 'openapi-fetch';
import { queryOptions, infiniteQueryOptions } from '@tanstack/react-query';
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

export function setEndedListener(listener: () => void): void {
  onEnded = listener;
}

async function kindOf(response: Response): Promise<string> {
  if (response.status !== 401) return '';
  const body: unknown = await response.clone().json().catch(() => undefined);
  return typeof body === 'object' && body !== null && 'type' in body ? String(body.type) : '';
}

/** Sends with the session's token. Where the password is wanted once more, asks for it and sends the same again. */
async function send(request: Request): Promise<Response> {
  const again = request.clone();
  request.headers.set('Millrace-Csrf', csrf);
  const response = await fetch(request);
  const kind = await kindOf(response);
  if (kind === 'unauthorised') onEnded();
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

/** The body of a success. Anything else is thrown as a {@link Problem}. */
export async function done<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch {
    throw problemOf(undefined, 0);
  }
  if (!answer.response.ok) throw problemOf(answer.error, answer.response.status);
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
  });
}

type Item<P extends Readable> = Read<P> extends { items: (infer I)[] } ? I : never;

export interface Page<T> {
  items: T[];
  next?: string | null;
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
