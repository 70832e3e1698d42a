import { Button, Group, Paper, Stack, Switch, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { reading } from '../api/client';
import { sentence } from '../api/problem';
import { EmptyNote, ProblemNote, Waiting } from '../parts/notes';
import { Rows } from '../parts/table';
import { Code, Quantity, Time, words } from '../parts/values';

/** Every product that differs between warehouse and Brightpearl, its difference taken apart into named parts. */
export function Drift({ connection }: { connection: string }) {
  const [all, setAll] = useState(false);
  // Both sides are read for it, at the cost of calls: only when asked for, and not again with every run of the channel.
  const [wanted, setWanted] = useState(false);
  const query = useQuery({
    ...reading('/api/v1/connections/{connection}/drift', { path: { connection }, query: { all, limit: 200 } }),
    enabled: ({ state }) => wanted && state.status === 'pending',
    staleTime: Infinity,
  });
  return (
    <Stack>
      <Group>
        <Button
          variant={wanted ? 'default' : 'filled'}
          loading={query.isFetching}
          onClick={() => (wanted ? void query.refetch() : setWanted(true))}
        >
          Compare both sides now
        </Button>
        <Switch label="Also what is explained wholly" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />
      </Group>
      {!wanted && (
        <Text size="sm" className="quiet">
          It reads stock from Brightpearl, which costs calls of the account's budget, and changes nothing.
        </Text>
      )}
      {query.error && <ProblemNote error={query.error} />}
      {query.isFetching && <Waiting what="Reading both sides" />}
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
              <EmptyNote title={query.data.compared === 0 ? 'There was nothing to compare' : 'Nothing differs'} />
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
