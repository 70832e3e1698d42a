import { Button, Stack, Text } from '@mantine/core';
import { useId } from 'react';
import type { operations } from '../api/schema';
import { say } from './act';
import { useFilters } from './filters';

type Kind = operations['export_data']['parameters']['path']['kind'];

/** What each file holds, as its list is called. */
const WHAT: Partial<Record<Kind, string>> = {
  // Orders and changes that need somebody are no part of it.
  exceptions: 'unusable inputs',
  stock_levels: 'stock levels',
  stock_runs: 'stock runs',
  stock_holds: 'held products',
  effects: 'changes',
  audit: 'the audit trail',
};

/** Lists that can be exported as they are filtered. */
const WHOLE: ReadonlySet<Kind> = new Set<Kind>(['orders', 'shipments']);

/** What of it is in the file beside that which its list shows at first. */
const ALSO: Partial<Record<Kind, string>> = {
  orders: ', archived ones too',
  exceptions: ', those that were dealt with too',
  findings: ', those that are gone too',
};

interface ExportProps {
  kind: Kind;
  /** As the list is filtered; what the route cannot be limited by stays away. */
  filter?: Record<string, string | boolean | undefined>;
}

/** All of a list as a file, as it is filtered. The browser itself fetches it, with the session: it may be large. */
export function ExportCsv({ kind, filter = {} }: ExportProps) {
  const [filters] = useFilters();
  const scope = useId();
  const given = Object.entries(filter).filter(([, value]) => value !== undefined && value !== '');
  const query = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  // What the file leaves aside is said, so that nobody takes it for what is shown.
  const isFiltered = Object.keys(filters).some((name) => name !== 'tab' && !(name in filter));
  const some = given.length === 1 && filter.connection !== undefined ? 'All of this connection' : 'All that the filters find';
  const all = given.length > 0 ? some : kind === 'audit' ? 'All of it' : 'All of them';
  const also = kind === 'orders' && filter.state ? undefined : ALSO[kind];
  const others = isFiltered && !WHOLE.has(kind) && `, whatever the ${given.length > 0 ? 'other filters' : 'filters'} say`;
  return (
    <Stack gap={2}>
      <Button
        component="a"
        variant="default"
        href={`/api/v1/exports/${kind}${query && `?${query}`}`}
        download
        aria-describedby={scope}
        onClick={() => fetching(`${kind}.csv`)}
      >
        Export {WHAT[kind] ?? kind} (CSV)
      </Button>
      <Text size="xs" className="quiet" id={scope}>
        {all}
        {also}
        {others}
      </Text>
    </Stack>
  );
}

/** Says where a file goes that the browser fetches by itself: nothing of that is seen on the page. */
export function fetching(file: string): void {
  say(`Your browser fetches ${file}, and keeps it among its downloads. It is whole once the browser says so.`);
}
