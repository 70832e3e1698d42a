import { Button, Group, Paper, Switch, Text, Title } from '@mantine/core';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { paging, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { sentence } from '../api/problem';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { ExportCsv } from '../parts/export';
import { FilterBar, useFilters } from '../parts/filters';
import { EmptyNote, ProblemNote, Waiting } from '../parts/notes';
import { Page } from '../parts/page';
import { Rows } from '../parts/table';
import { Time, words } from '../parts/values';
import { CameIn, KEEPS } from './came-in';
import { CauseGroups } from './cause-groups';
import { ExceptionsWorks, named, RESOLVE, resolve } from './exceptions-work';
import { doToEach, EachDialog } from './one-by-one';

type Exception = Schemas['ExceptionOut'];

/** Those that have the same cause, which is mended once. */
function byCause(exceptions: Exception[]): { cause: string; kind: string; members: Exception[] }[] {
  const groups = new Map<string, { cause: string; kind: string; members: Exception[] }>();
  for (const exception of exceptions) {
    const key = `${exception.kind}\n${exception.reason}`;
    const group = groups.get(key) ?? { cause: exception.reason, kind: exception.kind, members: [] };
    group.members.push(exception);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** What cannot go on without a person, by its cause: mended once, then tried again together. */
export function Exceptions() {
  const [filters] = useFilters();
  const names = useNames();
  return (
    <Page
      title="Exceptions"
      about="Orders, changes and inputs that need somebody, grouped by what they have in common. Mend the cause once, then try all of them again."
      actions={<ExportCsv kind="exceptions" filter={{ connection: filters.connection }} />}
    >
      <FilterBar list="exceptions" fields={[{ name: 'connection', label: 'Connection', choices: names.connections }]} />
      <ExceptionsWorks />
      <CauseGroups connection={filters.connection} />
      <Inputs />
    </Page>
  );
}

/** What came in and could not be used. */
function Inputs() {
  const [filters, setFilters] = useFilters();
  const all = filters.all === 'true';
  // Kept here: their group goes away as soon as the first of them are dealt with.
  const [settled, setSettled] = useState<Exception[] | null>(null);
  const query = useInfiniteQuery(
    paging('/api/v1/exceptions', { query: { connection: filters.connection, all, limit: 200 } }),
  );
  return (
    <>
      {settled && <ResolveDialog exceptions={settled} close={() => setSettled(null)} />}
      <Group justify="space-between">
        <div>
          <Title order={2} size="h3">
            What came in and could not be used
          </Title>
          <Text size="sm" className="quiet">
            Files, pages and messages, and shipments for orders that nobody knows. Nothing of them is lost.
          </Text>
        </div>
        <Switch
          label="Also those that were dealt with"
          checked={all}
          onChange={(event) => setFilters({ ...filters, all: event.currentTarget.checked ? 'true' : undefined })}
        />
      </Group>
      {query.error && <ProblemNote error={query.error} retry={() => void query.refetch()} />}
      {!query.data && !query.error && <Waiting />}
      {query.data && <Groups exceptions={query.data.pages.flatMap((page) => page.items)} settle={setSettled} />}
      {query.hasNextPage && (
        <Button variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          Show more
        </Button>
      )}
    </>
  );
}

function Groups({ exceptions, settle }: { exceptions: Exception[]; settle: (exceptions: Exception[]) => void }) {
  const names = useNames();
  const { decides } = useRights();
  const groups = byCause(exceptions);
  if (groups.length === 0) {
    return (
      <Paper withBorder>
        <EmptyNote title="Everything that came in could be used">What cannot be used appears here, with the reason.</EmptyNote>
      </Paper>
    );
  }
  return groups.map(({ cause, kind, members }) => {
    const open = members.filter((one) => !one.resolved_at);
    return (
      <Paper withBorder p="md" key={`${kind}${cause}`} component="section" className="section" aria-label={words(kind)}>
        <Group justify="space-between" mb="sm">
          <div>
            <Title order={3} size="h4">
              {words(kind)} ({members.length})
            </Title>
            <Text size="sm" maw={760} className="breaks">
              {sentence(cause)}
            </Text>
          </div>
          {decides && open.length > 1 && (
            <Button size="xs" variant="default" onClick={() => settle(open)}>
              All are dealt with
            </Button>
          )}
        </Group>
        <Rows
          label={words(kind)}
          rows={members}
          id={(one) => one.id}
          columns={[
            { title: 'About', show: (one) => <Text size="sm" className="breaks">{one.subject}</Text> },
            { title: 'Connection', show: (one) => names.connection(one.connection) },
            { title: 'When', show: (one) => <Time at={one.at} /> },
            ...(KEEPS.includes(kind) ? [{ title: 'As it came', show: (one: Exception) => <CameIn exception={one} /> }] : []),
            {
              title: 'Dealt with',
              show: (one) =>
                one.resolved_at ? (
                  <>
                    {one.resolved_by}, <Time at={one.resolved_at} />
                  </>
                ) : decides ? (
                  <Action size="xs" label="Dealt with" about={one.subject} run={() => resolve(one.id)} />
                ) : (
                  'Not yet'
                ),
            },
          ]}
        />
      </Paper>
    );
  });
}

/** All of one cause at once, once the cause is mended. */
function ResolveDialog({ exceptions, close }: { exceptions: Exception[]; close: () => void }) {
  const client = useQueryClient();
  const pieces = exceptions.map(({ id, subject }) => ({ id, called: subject }));
  return (
    <EachDialog
      title={`${exceptions.length} exceptions`}
      label="All are dealt with"
      explains="They all have the same cause. Say so once it is mended: they leave this list, and the audit trail keeps who said it."
      deed={RESOLVE}
      named={named}
      start={() => doToEach(client, RESOLVE, { title: `${words(exceptions[0]?.kind ?? '')} (${exceptions.length})`, pieces })}
      close={close}
    />
  );
}
