import { Button, Group, Paper, Stack, Switch, Text } from '@mantine/core';
import { skipToken, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, reading } from '../api/client';
import { sentence } from '../api/problem';
import { EmptyNote, ProblemNote, Waiting } from '../parts/notes';
import { Rows } from '../parts/table';
import { Code, Quantity, Time, words } from '../parts/values';

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
  const params = { path: { connection }, query: { all, limit: 200 } };
  return {
    ...reading('/api/v1/connections/{connection}/drift', params),
    queryFn: () => done(api.GET('/api/v1/connections/{connection}/drift', { params })),
    staleTime: Infinity,
    gcTime: Infinity,
  };
}

/** Every product that differs between warehouse and Brightpearl, its difference taken apart into named parts. */
export function Drift({ connection }: { connection: string }) {
  const { asked, ask } = useAsked(connection);
  const [first, setFirst] = useState(false);
  const wanted = asked !== undefined;
  const all = asked?.all ?? first;
  // Both sides are read for it: only when asked for, and not again with every run of the channel.
  const query = useQuery({ ...comparison(connection, all), enabled: ({ state }) => wanted && state.status === 'pending' });
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
      {query.data && (
        <>
          <Text fw={600} role="status">
            {query.data.headline}
          </Text>
          <Text size="sm" className="quiet">
            Compared <Time at={query.data.at} />: {query.data.compared} products.
          </Text>
          {query.data.notes.map((note) => (
            <Text key={note} size="sm">
              {sentence(note)}
            </Text>
          ))}
          <Paper withBorder>
            {query.data.lines.length === 0 ? (
              <Nothing compared={query.data.compared} />
            ) : (
              <Rows
                label="Differences"
                rows={query.data.lines}
                id={(line) => `${line.skus.join()} ${line.warehouse ?? ''}`}
                columns={[
                  { title: 'SKU', show: (line) => <Code>{line.skus.join(', ')}</Code> },
                  { title: 'Warehouse', figure: true, show: (line) => <Quantity of={line.counted} /> },
                  { title: 'Brightpearl', figure: true, show: (line) => <Quantity of={line.brightpearl} /> },
                  { title: 'Difference', figure: true, show: (line) => <Quantity of={line.difference} signed /> },
                  {
                    title: 'Explained by',
                    show: (line) =>
                      Object.entries(line.parts).map(([part, units]) => (
                        <Text key={part} size="sm">
                          {words(part)}: <Quantity of={units} />
                        </Text>
                      )),
                  },
                  { title: 'Unexplained', figure: true, show: (line) => <Quantity of={line.unexplained} signed /> },
                  { title: 'Notes', show: (line) => line.notes.join(' '), wide: true },
                ]}
              />
            )}
          </Paper>
        </>
      )}
    </Stack>
  );
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
