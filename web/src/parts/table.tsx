import { Button, Center, Checkbox, Group, Paper, Table, Text } from '@mantine/core';
import { useInfiniteQuery, type UseInfiniteQueryOptions } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import type { Page } from '../api/client';
import { ProblemNote, Waiting } from './notes';

export interface Column<T> {
  title: string;
  /** What stands there; nothing at all is shown as a dash, and left out on a phone. */
  show: (row: T) => ReactNode;
  /** Figures stand to the right. */
  figure?: boolean;
  /** Left out on a phone. */
  wide?: boolean;
}

interface RowsProps<T> {
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string;
  /** Names the table for those who do not see it. */
  label: string;
  /** How a row is called, where rows can be chosen. */
  called?: (row: T) => string;
  chosen?: Set<string>;
  choose?: (chosen: Set<string>) => void;
}

/** Rows in a table; on a phone each is a card, by CSS alone. */
export function Rows<T>({ rows, columns, id, label, called, chosen, choose }: RowsProps<T>) {
  const toggle = (key: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(key);
    else next.delete(key);
    choose?.(next);
  };
  const all = chosen !== undefined && rows.length > 0 && rows.every((row) => chosen.has(id(row)));
  const some = chosen !== undefined && rows.some((row) => chosen.has(id(row)));
  return (
    <Table aria-label={label} className="cards" verticalSpacing="xs" highlightOnHover>
      <Table.Thead>
        <Table.Tr>
          {choose && (
            <Table.Th w={36}>
              <Checkbox
                aria-label="Choose all that are shown"
                checked={all}
                indeterminate={some && !all}
                onChange={(event) => choose(event.currentTarget.checked ? new Set(rows.map(id)) : new Set())}
              />
            </Table.Th>
          )}
          {columns.map((column) => (
            <Table.Th key={column.title} ta={column.figure ? 'right' : undefined}>
              {column.title}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Table.Tr key={id(row)} data-chosen={chosen?.has(id(row)) || undefined}>
            {choose && (
              <Table.Td className="pick">
                <Checkbox
                  aria-label={`Choose ${called ? called(row) : id(row)}`}
                  checked={chosen?.has(id(row)) ?? false}
                  onChange={(event) => toggle(id(row), event.currentTarget.checked)}
                />
              </Table.Td>
            )}
            {columns.map((column) => {
              const shown = column.show(row);
              const none = shown === null || shown === undefined || shown === '' || shown === false;
              return (
                <Table.Td
                  key={column.title}
                  data-label={column.title}
                  className={column.wide || none ? 'wide' : undefined}
                  ta={column.figure ? 'right' : undefined}
                >
                  {none ? '–' : shown}
                </Table.Td>
              );
            })}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

interface ListProps<T> extends Omit<RowsProps<T>, 'rows' | 'chosen' | 'choose'> {
  // The library's type carries five parameters that say nothing here.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  of: UseInfiniteQueryOptions<any, any, any, any, any>;
  /** Shown where there is nothing. */
  empty: ReactNode;
  /** What can be done with several at once. */
  bulk?: (chosen: T[], clear: () => void) => ReactNode;
}

/** A list of the API, a page at a time. */
export function DataTable<T>({ of, empty, bulk, ...rest }: ListProps<T>) {
  const query = useInfiniteQuery(of);
  // Kept as they were chosen: a row may leave the list, by its filters, while something is done with it.
  const [chosen, setChosen] = useState<Map<string, T>>(new Map());
  if (query.data === undefined) {
    return query.error ? <ProblemNote error={query.error} retry={() => void query.refetch()} /> : <Waiting />;
  }
  const pages = (query.data as { pages: Page<T>[] }).pages;
  const rows = pages.flatMap((page) => page.items);
  if (rows.length === 0 && chosen.size === 0) return <Paper withBorder>{empty}</Paper>;
  const shown = new Map(rows.map((row) => [rest.id(row), row]));
  const picked = [...chosen].map(([key, row]) => shown.get(key) ?? row);
  const choose = (keys: Set<string>) => {
    const next = new Map<string, T>();
    for (const key of keys) {
      const row = shown.get(key) ?? chosen.get(key);
      if (row !== undefined) next.set(key, row);
    }
    setChosen(next);
  };
  return (
    <Paper withBorder>
      {bulk && picked.length > 0 && (
        <Group px="md" py="xs" gap="sm" className="bulk" role="region" aria-label="Several at once">
          <Text size="sm" fw={600}>
            {picked.length} chosen
          </Text>
          {bulk(picked, () => setChosen(new Map()))}
          <Button size="xs" variant="subtle" onClick={() => setChosen(new Map())}>
            Choose none
          </Button>
        </Group>
      )}
      <Rows {...rest} rows={rows} {...(bulk ? { chosen: new Set(chosen.keys()), choose } : {})} />
      <Center p="sm">
        {query.hasNextPage ? (
          <Button variant="default" size="xs" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Show more
          </Button>
        ) : (
          <Text size="sm" className="quiet">
            {rows.length === 1 ? 'That is the only one.' : `Those are all ${rows.length}.`}
          </Text>
        )}
      </Center>
    </Paper>
  );
}
