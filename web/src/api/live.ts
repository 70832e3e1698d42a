import { useEffect } from 'react';
import type { QueryClient } from '@tanstack/react-query';
import { reread } from './reread';

/** Which routes show what: an event of this kind makes them be read again. */
const SHOWN_BY: Record<string, string[]> = {
  order: ['/api/v1/orders', '/api/v1/alerts/issues', '/api/v1/exceptions'],
  shipment: ['/api/v1/shipments', '/api/v1/orders'],
  effect: ['/api/v1/effects', '/api/v1/orders/', '/api/v1/shipments/', '/api/v1/stock/runs', '/api/v1/exceptions'],
  channel: ['/api/v1/connections'],
  connection: ['/api/v1/connections', '/api/v1/stores', '/api/v1/warehouses'],
  run: ['/api/v1/stock', '/api/v1/connections/{connection}/stock'],
  exception: ['/api/v1/exceptions'],
  census: ['/api/v1/connections/{connection}/census'],
  finding: ['/api/v1/findings', '/api/v1/connections/{connection}/census'],
  preflight: ['/api/v1/connections/{connection}/preflight'],
  safety: ['/api/v1/safety', '/api/v1/alerts/issues'],
  alert: ['/api/v1/alerts'],
};

/** Events come in bursts; pages are read again at most this often, in milliseconds. */
const GATHER = 700;
/** After the stream was refused, until it is tried again, in milliseconds. */
const LATER = 5_000;

/**
 * Follows the live changes while the page is visible, and makes what shows them be read again. A hidden page lets go of its
 * connection, of which browsers give a site six, and goes on after the last event it saw.
 */
function follow(client: QueryClient): () => void {
  let stream: EventSource | undefined;
  let last: string | undefined;
  let timer: number | undefined;
  let again: number | undefined;
  const stale = new Set<string>();

  const refresh = () => {
    timer = undefined;
    const paths = [...stale];
    stale.clear();
    void reread(client, (query) => {
      const path = query.queryKey[0];
      return typeof path === 'string' && paths.some((start) => path.startsWith(start));
    });
  };
  const noticed = (kind: string) => (event: MessageEvent) => {
    last = event.lastEventId || last;
    for (const path of SHOWN_BY[kind] ?? []) stale.add(path);
    timer ??= window.setTimeout(refresh, GATHER);
  };
  const close = () => {
    stream?.close();
    stream = undefined;
    window.clearTimeout(again);
  };
  const open = () => {
    close();
    if (document.hidden) return;
    stream = new EventSource(last === undefined ? '/api/v1/events' : `/api/v1/events?after=${last}`);
    for (const kind of Object.keys(SHOWN_BY)) stream.addEventListener(kind, noticed(kind));
    stream.addEventListener('error', () => {
      // A broken stream comes back by itself; one that was refused does not.
      if (stream?.readyState === EventSource.CLOSED) again = window.setTimeout(open, LATER);
    });
  };
  const seen = () => {
    if (document.hidden) close();
    else open();
  };
  document.addEventListener('visibilitychange', seen);
  open();
  return () => {
    document.removeEventListener('visibilitychange', seen);
    window.clearTimeout(timer);
    close();
  };
}

/** Keeps what is shown up to date for as long as the component lives. */
export function useLive(client: QueryClient): void {
  useEffect(() => follow(client), [client]);
}
