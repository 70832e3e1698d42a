import { Button, Center, Group, Paper, Stack, Switch, Text } from '@mantine/core';
import { infiniteQueryOptions, skipToken, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { LongRows } from '../parts/long-rows';
import { EmptyNote, ProblemNote, Waiting } from '../parts/notes';
import { Code, Quantity, Time, words } from '../parts/values';

/** Lines of one comparison: the next ones take another, so there are as many as there can be. */
const LARGEST = 5000;

/** What was asked for last about a connection: whether also what is explained wholly. Kept for as long as the comparison. */
function useAsked(connection: string) {
  const client = useQueryClient();
  const queryKey = ['drift asked for', connection];
  const { data } = useQuery<{ all: boolean }>({ queryKey, queryFn: skipToken, gcTime: Infinity });
  return { asked: data, ask: (all: boolean) => client.setQueryData(queryKey, { all }) };
}

/**
 * The comparison of both sides. It takes its time and costs calls: whoever goes to another page does not end it, and finds it when
 * they come back.
 */
function comparison(connection: string, all: boolean) {
  const params = { path: { connection }, query: { all, limit: LARGEST } };
  return infiniteQueryOptions({
    queryKey: ['/api/v1/connections/{connection}/drift', params, 'pages'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam: cursor }) =>
      done(api.GET('/api/v1/connections/{connection}/drift', { params: { ...params, query: { ...params.query, cursor } } })),
    getNextPageParam: (last: Schemas['DriftOut']) => last.next ?? undefined,
    staleTime: Infinity,
    gcTime: Infinity,
  });
}

/** Every product that differs between warehouse and Brightpearl, its difference taken apart into named parts. */
export function Drift({ connection }: { connection: string }) {
  const { asked, ask } = useAsked(connection);
  const [first, setFirst] = useState(false);
  const wanted = asked !== undefined;
  const all = asked?.all ?? first;
  // Both sides are read for it: only when asked for, and not again with every run of the channel.
  const query = useInfiniteQuery({ ...comparison(connection, all), enabled: ({ state }) => wanted && state.status === 'pending' });
  const told = query.data?.pages[0];
  const lines = query.data?.pages.flatMap((page) => page.lines) ?? [];
  return (
    <Stack>
      <Group>
        <Button
          variant={wanted ? 'default' : 'filled'}
          loading={query.isFetching}
          onClick={() => (wanted ? void query.refetch() : ask(all))}
        >
          Compare both sides now
        </Button>
        <Switch label="Also what is explained wholly" checked={all} onChange={(event) => (wanted ? ask : setFirst)(event.currentTarget.checked)} />
      </Group>
      {!wanted && (
        <Paper withBorder>
          <EmptyNote title="Nothing is compared yet">
            Press Compare both sides now: each product whose stock differs appears here, with what explains it. It reads stock from
            Brightpearl, which costs calls of the account's budget, and changes nothing.
          </EmptyNote>
        </Paper>
      )}
      {query.error && <ProblemNote error={query.error} />}
      {query.isFetching && (
        <>
          <Waiting what="Reading both sides" />
          <Text size="sm" className="quiet" ta="center">
            You may go to other pages meanwhile: it goes on, and is found here.
          </Text>
        </>
      )}
      {told && (
        <>
          <Text fw={600} role="status">
            {told.headline}
          </Text>
          <Text size="sm" className="quiet">
            Compared <Time at={told.at} />: {told.compared} products.
          </Text>
          {told.notes.map((note) => (
            <Text key={note} size="sm">
              {sentence(note)}
            </Text>
          ))}
          <Paper withBorder>
            {lines.length === 0 ? (
              <Nothing compared={told.compared} />
            ) : (
              <LongRows
                label="Differences"
                rows={lines}
                id={lineOf}
                tall
                columns={[
                  { title: 'SKU', show: (line) => <Code>{line.skus.join(', ')}</Code> },
                  { title: 'Warehouse', figure: true, show: (line) => <Quantity of={line.counted} /> },
                  { title: 'Brightpearl', figure: true, show: (line) => <Quantity of={line.brightpearl} /> },
                  { title: 'Difference', figure: true, show: (line) => <Quantity of={line.difference} signed /> },
                  {
                    title: 'Explained by',
                    show: (line) =>
                      Object.entries(line.parts)
                        // What was not read matters where something is left to explain.
                        .filter(([, units]) => units !== null || Number(line.unexplained) !== 0)
                        .map(([part, units]) => (
                          <Text key={part} size="sm">
                            {words(part)}: {units === null ? 'not read' : <Quantity of={units} />}
                          </Text>
                        )),
                  },
                  { title: 'Unexplained', figure: true, show: (line) => <Quantity of={line.unexplained} signed /> },
                  { title: 'Notes', show: (line) => line.notes.join(' '), wide: true },
                ]}
              />
            )}
          </Paper>
          {query.hasNextPage && (
            <Center>
              <Button variant="default" size="xs" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                Compare again and show more
              </Button>
            </Center>
          )}
        </>
      )}
    </Stack>
  );
}

/** A product in one warehouse; what no product was found for has its SKUs alone. */
function lineOf(line: Schemas['DriftLineOut']): string {
  return `${line.skus.join()} ${line.warehouse ?? ''} ${line.product ?? ''}`;
}

function Nothing({ compared }: { compared: number }) {
  return compared === 0 ? (
    <EmptyNote title="There was nothing to compare">
      Differences appear here once the warehouse has sent a count, which it does while the stock channel is on. Compare again then.
    </EmptyNote>
  ) : (
    <EmptyNote title="Nothing differs">
      Both sides say the same of every product. What differs the next time you compare them appears here.
    </EmptyNote>
  );
}
