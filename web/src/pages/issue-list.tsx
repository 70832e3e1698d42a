import { Group, Paper, Select, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { api, done, paging, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { sentence } from '../api/problem';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { To } from '../parts/link';
import { EmptyNote, ProblemNote, Waiting } from '../parts/notes';
import { Time, words } from '../parts/values';

type Issue = Schemas['IssueOut'];

/** Where one mends what an issue of this kind is about. */
function mends(issue: Issue): { href: string; title: string } | null {
  const orders = (state: string) => ({
    href: `/orders?state=${state}${issue.connection ? `&connection=${issue.connection}` : ''}`,
    title: 'To these orders',
  });
  switch (issue.kind) {
    case 'order_error':
      return orders('error');
    case 'order_held':
      return orders('held');
    case 'exception':
      return { href: '/exceptions', title: 'To the exceptions' };
    case 'finding':
      return { href: '/findings', title: 'To the findings' };
    case 'stock_run':
      return { href: `/stock${issue.connection ? `?connection=${issue.connection}` : ''}`, title: 'To the stock runs' };
    case 'sending_frozen':
      return { href: '/safety', title: 'To safety' };
    case 'unaccounted':
      return issue.connection ? { href: `/connections/${issue.connection}/census`, title: 'To the census' } : null;
    case 'effect': {
      const effect = issue.subjects.find((subject) => subject.startsWith('eff_'));
      return effect ? { href: `/effects/${effect}`, title: 'To it' } : null;
    }
    default:
      return issue.connection ? { href: `/connections/${issue.connection}`, title: 'To the connection' } : null;
  }
}

/** What is wrong without the connection and the kind before it, which stand above: alone, as in an e-mail, it needs them. */
function bare({ what, kind }: Issue, connection: string): string {
  const without = (text: string, start: string) => (text.toLowerCase().startsWith(start) ? text.slice(start.length) : text);
  return without(without(what, `${connection.toLowerCase()}: `), `${kind.replaceAll('_', ' ')}: `);
}

/** What needs a person, each with what to do. */
export function IssueList({ limit = 50, all = false }: { limit?: number; all?: boolean }) {
  const query = useInfiniteQuery(paging('/api/v1/alerts/issues', { query: { limit, all } }));
  if (query.error) return <ProblemNote error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Waiting />;
  const issues = query.data.pages.flatMap((page) => page.items);
  if (issues.length === 0) {
    return (
      <Paper withBorder className="list">
        <EmptyNote title="Nothing needs you">What cannot go on without a person appears here, with what mends it.</EmptyNote>
      </Paper>
    );
  }
  return (
    <Stack gap="sm">
      {issues.map((issue) => (
        <OneIssue key={issue.id} issue={issue} />
      ))}
    </Stack>
  );
}

function OneIssue({ issue }: { issue: Issue }) {
  const names = useNames();
  const { decides } = useRights();
  const connection = names.connection(issue.connection);
  const place = mends(issue);
  const params = { path: { issue: issue.id } };
  return (
    <Paper withBorder p="sm" data-issue={issue.kind}>
      <Stack gap={4}>
        <Group gap="xs">
          <StateBadge state={issue.state} tone={issue.state === 'open' ? 'bad' : 'quiet'} label={words(issue.kind)} />
          {issue.count > 1 && <Text size="sm">{issue.count} of them</Text>}
          <Text size="sm" className="quiet">
            {connection && `${connection} · `}since <Time at={issue.opened_at} />
          </Text>
        </Group>
        <Text fw={500} className="breaks">{sentence(bare(issue, connection))}</Text>
        <Text size="sm">{issue.remedy}</Text>
        {issue.acknowledged_by && (
          <Text size="sm" className="quiet">
            Taken on by {issue.acknowledged_by}
          </Text>
        )}
        {issue.snoozed_until && (
          <Text size="sm" className="quiet">
            Nothing is said of it for now; again <Time at={issue.snoozed_until} />
          </Text>
        )}
        <Group gap="xs">
          {place && (
            <To href={place.href} size="sm" fw={600}>
              {place.title}
            </To>
          )}
          {decides && issue.state !== 'closed' && (
            <>
              <Action
                size="compact-sm"
                label={issue.acknowledged_at ? 'Give it back' : 'I take it on'}
                run={() =>
                  done(
                    api.POST('/api/v1/alerts/issues/{issue}/acknowledge', {
                      params,
                      body: { undo: Boolean(issue.acknowledged_at) },
                    }),
                  )
                }
              />
              <Snooze issue={issue} />
            </>
          )}
        </Group>
      </Stack>
    </Paper>
  );
}

function Snooze({ issue }: { issue: Issue }) {
  const [hours, setHours] = useState('24');
  return (
    <Action
      size="compact-sm"
      label="Not now"
      confirm="Say nothing until then"
      explains={
        <Select
          label="Say nothing of it for"
          data={[
            { value: '1', label: 'an hour' },
            { value: '8', label: '8 hours' },
            { value: '24', label: 'a day' },
            { value: '168', label: 'a week' },
            { value: '0', label: 'no time: tell again' },
          ]}
          value={hours}
          allowDeselect={false}
          onChange={(value) => setHours(value ?? '24')}
        />
      }
      run={() =>
        done(
          api.POST('/api/v1/alerts/issues/{issue}/snooze', {
            params: { path: { issue: issue.id } },
            body: { hours: Number(hours) },
          }),
        )
      }
    />
  );
}
