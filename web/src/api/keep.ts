import { useSyncExternalStore } from 'react';
import { api, done } from './client';
import { problemFrom, type Problem } from './problem';

/** A merchant's archive on its way from the program into this browser. */
export interface Archive {
  state: 'coming' | 'kept' | 'failed';
  /** So many have come. How many there will be nobody knows: it is written as it is read. */
  bytes: number;
  problem?: Problem;
}

/** Held here and not by a page, so that a page can be left and the archive found again. */
const archives = new Map<string, Archive>();
const stops = new Map<string, AbortController>();
const listeners = new Set<() => void>();

/** Pieces are put together when there are so many bytes of them: what is together, browsers keep on the disk. */
const TOGETHER = 8 * 1024 * 1024;
/** What is shown changes at most this often, in milliseconds. */
const GATHER = 250;
/** After this time the browser has surely taken a file that was given to it, in milliseconds. */
const TAKEN = 60_000;

function tell(merchant: string, archive: Archive | undefined): void {
  if (archive) archives.set(merchant, archive);
  else archives.delete(merchant);
  for (const listener of listeners) listener();
}

/** How far a merchant's archive has come; undefined where none was asked for. */
export function useArchive(merchant: string): Archive | undefined {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => archives.get(merchant),
  );
}

/** Whoever closes the window is asked first. */
function warn(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

/** The whole of a stream. It throws where the stream was cut off. */
async function together(stream: ReadableStream<Uint8Array>, came: (bytes: number) => void): Promise<Blob> {
  let whole = new Blob([], { type: 'application/gzip' });
  let pieces: BlobPart[] = [];
  let loose = 0;
  const join = () => {
    whole = new Blob([whole, ...pieces], { type: whole.type });
    pieces = [];
    loose = 0;
  };
  const reader = stream.getReader();
  for (;;) {
    const { done: isEnd, value } = await reader.read();
    if (isEnd) break;
    pieces.push(value as Uint8Array<ArrayBuffer>);
    loose += value.length;
    if (loose >= TOGETHER) join();
    came(whole.size + loose);
  }
  join();
  return whole;
}

function save(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), TAKEN);
}

/** Fetches everything of a merchant and gives it to the browser as a file, once it is whole. */
export async function keepArchive(merchant: string): Promise<void> {
  if (stops.has(merchant)) return;
  const stop = new AbortController();
  stops.set(merchant, stop);
  tell(merchant, { state: 'coming', bytes: 0 });
  window.addEventListener('beforeunload', warn);
  try {
    const call = api.GET('/api/v1/merchants/{merchant}/export', {
      params: { path: { merchant } },
      parseAs: 'stream',
      signal: stop.signal,
    });
    const stream = await done(call);
    let told = 0;
    const file = await together(stream as ReadableStream<Uint8Array>, (bytes) => {
      if (Date.now() - told < GATHER) return;
      told = Date.now();
      tell(merchant, { state: 'coming', bytes });
    });
    const { response } = await call;
    const [, name = `${merchant}.tar.gz`] = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '') ?? [];
    save(file, name);
    tell(merchant, { state: 'kept', bytes: file.size });
  } catch (error) {
    tell(merchant, stop.signal.aborted ? undefined : { state: 'failed', bytes: 0, problem: problemFrom(error) });
  } finally {
    stops.delete(merchant);
    if (stops.size === 0) window.removeEventListener('beforeunload', warn);
  }
}

/** Ends it; what has come is thrown away. */
export function stopArchive(merchant: string): void {
  stops.get(merchant)?.abort();
}
