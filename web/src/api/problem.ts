import type { components } from './schema';

type ProblemOut = components['schemas']['ProblemOut'];

/** An answer that is no success: what happened, why, and what to do, as the API's problem documents say. */
export class Problem extends Error {
  constructor(readonly told: ProblemOut) {
    super(told.detail);
  }

  get kind(): string {
    return this.told.type;
  }
}

/** Makes a problem of whatever came instead of a success: a problem document, another program's page, or nothing at all. */
export function problemOf(body: unknown, status: number): Problem {
  if (typeof body === 'object' && body !== null && 'detail' in body && 'type' in body) {
    return new Problem(body as ProblemOut);
  }
  return new Problem({
    type: 'unreachable',
    title: 'Millrace did not answer',
    status,
    detail: status === 0 ? 'the program cannot be reached' : `something in between answered with status ${status}`,
    remedy: 'Check that the program runs and that your network reaches it, then try again.',
  });
}

/** The same for anything that was thrown. */
export function problemFrom(error: unknown): Problem {
  return error instanceof Problem ? error : problemOf(undefined, 0);
}

/** First letter large: the API's details are written to stand within a sentence. What begins with a name, as of a file, keeps it. */
export function sentence(text: string): string {
  const isWord = /^[a-z'-]+(?!\w|\.\w)/.test(text);
  const first = isWord ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
