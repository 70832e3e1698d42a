import { Button, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, whole, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { sentence } from '../api/problem';
import { reread } from '../api/reread';
import { useRights } from '../api/session';
import { begin } from '../api/works';
import { StateBadge } from '../parts/badge';
import { To } from '../parts/link';
import { EmptyNote, ProblemNote, Waiting } from '../parts/notes';
import { Time } from '../parts/values';
import { useMends } from './cause-mends';
import { Example, named, RESOLVE } from './exceptions-work';
import { EachDialog, type Told } from './one-by-one';

type Cause = Schemas['GroupOut'];

const KINDS: Record<string, string> = {
  order_error: 'Orders in error',
  order_held: 'Orders held',
  change_refused: 'Changes that were refused',
  change_unclear: 'Changes whose outcome is not known',
};

/** Orders and changes that need somebody. What came in and could not be used has a list of its own. */
export function CauseGroups({ connection }: { connection: string | undefined }) {
  const query = useQuery(whole('/api/v1/exceptions/groups', { query: { connection } }));
  // Kept here: the group itself goes away as soon as what is tried again goes on.
  const [retried, setRetried] = useState<Cause | null>(null);
  const dialog = retried && <RetryDialog group={retried} close={() => setRetried(null)} />;
  if (query.error) return <ProblemNote error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Waiting />;
  const groups = query.data.filter((group) => group.kind !== 'exception');
  return (
    <>
      {dialog}
      {groups.length === 0 && (
        <Paper withBorder>
          <EmptyNote title="No order and no change needs you">
            What stands still appears here by its cause, with what mends it and one button that tries all of it again.
          </EmptyNote>
        </Paper>
      )}
      {groups.map((group) => (
        <OneCause key={group.id} group={group} retry={() => setRetried(group)} />
      ))}
    </>
  );
}

function OneCause({ group, retry }: { group: Cause; retry: () => void }) {
  const names = useNames();
  const { decides } = useRights();
  const title = KINDS[group.kind] ?? group.kind;
  const mends = useMends({ connection: group.connection, words: group.example, then: 'Now try all of them again.' });
  return (
    <Paper withBorder p="md" component="section" aria-label={`${title}: ${group.cause}`}>
      <Stack gap="xs">
        <Group gap="xs">
          <Title order={2} size="h4">
            {title} ({group.count})
          </Title>
          <StateBadge state={group.kind} tone={group.kind === 'order_held' ? 'wait' : 'bad'} label={names.connection(group.connection)} />
        </Group>
        <Text>{sentence(group.example)}</Text>
        <Text size="sm" className="quiet">
          {group.remedy} Since <Time at={group.first_at} />
          {group.count > 1 && (
            <>
              , the newest <Time at={group.last_at} />
            </>
          )}
          .
        </Text>
        <Group gap="xs">
          {mends}
          {decides && group.can_retry && (
            // Mending comes first where it can be done here.
            <Button size="xs" variant={mends ? 'default' : 'filled'} onClick={retry}>
              Try all again
            </Button>
          )}
        </Group>
        <Text size="sm">
          Such as:{' '}
          {group.examples.map((id, index) => (
            <span key={id}>
              {index > 0 && ', '}
              <Example id={id} />
            </span>
          ))}
          {group.kind.startsWith('order_') && (
            <>
              {' · '}
              <To href={`/orders?state=${group.kind.replace('order_', '')}&connection=${group.connection}`}>all such orders</To>
            </>
          )}
        </Text>
      </Stack>
    </Paper>
  );
}

/** What became of a retry, in words. */
function wordsOf({ retried, failed, left }: Schemas['GroupRetriedOut']): string {
  const others = failed.length > 0 ? `, ${failed.length} could not be` : '';
  const later = left > 0 ? `, ${left} ${left === 1 ? 'is' : 'are'} left for the next time` : '';
  return `${retried} ${retried === 1 ? 'is' : 'are'} tried again${others}${later}. What still cannot go on stays on this page.`;
}

/** Has all of a cause tried again, which is one request. The id of the work. */
function retry(client: QueryClient, { id, kind, count, example }: Cause): number {
  const title = `${KINDS[kind] ?? kind}: ${example}`;
  const told: Told = { words: '', failed: [], left: [] };
  return begin<Told>({ list: RESOLVE.list, title, total: count, isWhole: true, told }, async (came) => {
    try {
      const answer = await done(api.POST('/api/v1/exceptions/groups/{group}/retry', { params: { path: { group: id } } }));
      came(count, { words: wordsOf(answer), failed: answer.failed, left: [] });
    } finally {
      void reread(client);
    }
  });
}

/** All of one cause again, once it is mended; says what became of them. */
function RetryDialog({ group, close }: { group: Cause; close: () => void }) {
  const client = useQueryClient();
  return (
    <EachDialog
      title={`Try ${group.count === 1 ? 'it' : `all ${group.count}`} again`}
      label="Try all again"
      explains="Mend the cause first. Each is then looked at anew, and goes on where nothing keeps it any more."
      deed={RESOLVE}
      named={named}
      start={() => retry(client, group)}
      close={close}
    />
  );
}
