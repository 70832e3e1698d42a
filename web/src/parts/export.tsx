import { Button } from '@mantine/core';
import type { operations } from '../api/schema';
import { useFilters } from './filters';

interface ExportProps {
  kind: operations['export_data']['parameters']['path']['kind'];
  /** Only of this connection; the route takes no other filter. */
  connection?: string | undefined;
}

/** All of a list as a file. The browser itself fetches it, with the session: it may be large. */
export function ExportCsv({ kind, connection }: ExportProps) {
  const [filters] = useFilters();
  const query = connection ? `?${new URLSearchParams({ connection }).toString()}` : '';
  // What the file leaves aside is said, so that nobody takes it for what is shown.
  const more = Object.keys(filters).some((name) => name !== 'connection' && name !== 'tab');
  return (
    <Button component="a" variant="default" href={`/api/v1/exports/${kind}${query}`} download>
      {more ? 'Export CSV, without these filters' : 'Export CSV'}
    </Button>
  );
}
