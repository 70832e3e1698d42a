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
  effects: 'changes',
  audit: 'the audit trail',
};

/** What of it is in the file beside that which its list shows at first. */
const ALSO: Partial<Record<Kind, string>> = {
  exceptions: ', those that were dealt with too',
  findings: ', those that are gone too',
};

interface ExportProps {
  kind: Kind;
  /** Only of this connection; the route takes no other filter. */
  connection?: string | undefined;
}

/** All of a list as a file. The browser itself fetches it, with the session: it may be large. */
export function ExportCsv({ kind, connection }: ExportProps) {
  const [filters] = useFilters();
  const scope = useId();
  const query = connection ? `?${new URLSearchParams({ connection }).toString()}` : '';
  const all = connection ? 'All of this connection' : kind === 'audit' ? 'All of it' : 'All of them';
  // What the file leaves aside is said, so that nobody takes it for what is shown.
  const isFiltered = Object.keys(filters).some((name) => name !== 'connection' && name !== 'tab');
  return (
    <Stack gap={2}>
      <Button
        component="a"
        variant="default"
        href={`/api/v1/exports/${kind}${query}`}
        download
        aria-describedby={scope}
        onClick={() => fetching(`${kind}.csv`)}
      >
        Export {WHAT[kind] ?? kind} (CSV)
      </Button>
      <Text size="xs" className="quiet" id={scope}>
        {all}
        {ALSO[kind]}
        {isFiltered && `, whatever the ${connection ? 'other filters' : 'filters'} say`}
      </Text>
    </Stack>
  );
}

/** Says where a file goes that the browser fetches by itself: nothing of that is seen on the page. */
export function fetching(file: string): void {
  say(`Your browser fetches ${file}, and keeps it among its downloads. It is whole once the browser says so.`);
}
