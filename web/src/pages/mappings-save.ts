import { useQueryClient } from '@tanstack/react-query';
import { api, done, ifMatch, reading, type Schemas } from '../api/client';
import type { operations } from '../api/schema';
import { say, useAct } from '../parts/act';

/** Keeps some of the tables; those that are not given stay as they are. */
export function useSave(connection: string, said: string) {
  const client = useQueryClient();
  const path = { connection };
  const { queryKey } = reading('/api/v1/connections/{connection}/mappings', { path });
  return useAct(
    (body: Schemas['MappingsIn']) => {
      // The tables that are on the page: a change is made from them.
      const from = client.getQueryData(queryKey);
      return done(
        api.PUT('/api/v1/connections/{connection}/mappings', { params: { path, header: ifMatch(from) }, body }),
      );
    },
    (kept) => {
      // The next change is made from these, which may come before they are read again.
      client.setQueryData(queryKey, kept);
      say(said);
    },
  );
}

/** A translation table, by the name of its file. */
export type Table = operations['import_mappings']['parameters']['path']['table'];

/** Sends lines of a table; what they do not name stays. */
export function sendTable(connection: string, table: Table, body: string, query: { preview: boolean; overwrite: boolean }) {
  return done(
    api.POST('/api/v1/connections/{connection}/mappings/{table}', {
      params: { path: { connection, table }, query },
      body,
      bodySerializer: (text: string) => text,
      headers: { 'content-type': 'text/csv' },
    }),
  );
}

/** Writes one line, whatever was mapped before: a large table is not sent back whole for it, and nobody else's line is overwritten. */
export function sendLine(connection: string, table: Table, cells: string[]) {
  return sendTable(connection, table, cells.map(csvField).join(','), { preview: false, overwrite: true });
}

export function mapSku(connection: string, from: string, to: string) {
  return sendLine(connection, 'listings.csv', [from, to]);
}

function csvField(cell: string): string {
  return `"${cell.trim().replaceAll('"', '""')}"`;
}
