import { Button, Group, Paper, Stack, Switch, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { api, done, paging, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { ExportCsv } from '../parts/export';
import { FilterBar, useFilters } from '../parts/filters';
import { To } from '../parts/link';
import { EmptyNote, ProblemNote, Waiting } from '../parts/notes';
import { Page } from '../parts/page';
import { Time, words } from '../parts/values';

type Finding = Schemas['FindingOut'];

const REPAIRS: Record<string, string> = {
  delete_note: 'Delete the note',
  look_again: 'Look again',
  write_tracking: 'Write the tracking',
  mark_for_person: 'Mark it for a person',
};

/** The doctor: what is wrong between the ledgers, why it matters, and what would mend it. */
export function Findings() {
  const [filters, setFilters] = useFilters();
  const names = useNames();
  const all = filters.all === 'true';
  const query = useInfiniteQuery(
    paging('/api/v1/findings', { query: { connection: filters.connection, kind: filters.kind, all, limit: 50 } }),
  );
  const findings = query.data?.pages.flatMap((page) => page.items);
  return (
    <Page
      title="Findings"
      about="What the census found wrong between Brightpearl, the warehouse and Millrace. Each repair is yours to start."
      actions={<ExportCsv kind="findings" filter={{ connection: filters.connection }} />}
    >
      <FilterBar list="findings" fields={[{ name: 'connection', label: 'Connection', choices: names.connections }]} />
      <Switch
        label="Also those that are gone"
        checked={all}
        onChange={(event) => setFilters({ ...filters, all: event.currentTarget.checked ? 'true' : undefined })}
      />
      {query.error && <ProblemNote error={query.error} retry={() => void query.refetch()} />}
      {!findings && !query.error && <Waiting />}
      {findings?.length === 0 && (
        <Paper withBorder>
          <EmptyNote title="Nothing wrong was found">
            What the census finds appears here, with what it means and what repairs it. It looks at each connection that is on every 15
            minutes, and once a day at everything.
          </EmptyNote>
        </Paper>
      )}
      <Stack>
        {findings?.map((finding) => (
          <FindingCard key={finding.id} finding={finding} />
        ))}
      </Stack>
      {query.hasNextPage && (
        <Button variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          Show more
        </Button>
      )}
    </Page>
  );
}

export function FindingCard({ finding }: { finding: Finding }) {
  const names = useNames();
  const { decides } = useRights();
  const open = !finding.resolved_at;
  return (
    <Paper withBorder p="md" role="group" aria-label={`${words(finding.kind)}: ${finding.subject}`}>
      <Stack gap={6}>
        <Group gap="xs">
          <StateBadge state={finding.kind} tone={open ? 'bad' : 'quiet'} />
          <Text size="sm" className="quiet">
            {names.connection(finding.connection)} · {finding.subject} · first seen <Time at={finding.first_at} />
          </Text>
        </Group>
        <Text fw={500}>{finding.what}</Text>
        <Text size="sm">{finding.matters}</Text>
        {finding.order && (
          <To href={`/orders?text=${finding.order}`} size="sm">
            Order {finding.order}
          </To>
        )}
        {finding.repaired_at && (
          <Text size="sm">
            {finding.repaired_by} had it repaired <Time at={finding.repaired_at} />: {finding.repair_reason}{' '}
            {finding.effect && <To href={`/effects/${finding.effect}`}>See it</To>}
          </Text>
        )}
        {finding.resolved_at && (
          <Text size="sm">
            Gone <Time at={finding.resolved_at} />
          </Text>
        )}
        {decides && open && !finding.repaired_at && (
          <div>
            <Action
              size="xs"
              label={REPAIRS[finding.repair] ?? words(finding.repair)}
              explains={finding.does}
              wantsReason
              run={(reason) =>
                done(
                  api.POST('/api/v1/findings/{finding}/repair', {
                    params: { path: { finding: finding.id } },
                    body: { reason },
                  }),
                )
              }
            />
          </div>
        )}
      </Stack>
    </Paper>
  );
}
