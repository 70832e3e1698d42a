import { Button, Center, Checkbox, Group, Paper, Table, Text } from '@mantine/core';
import { useInfiniteQuery, useQueryClient, type UseInfiniteQueryOptions } from '@tanstack/react-query';
import { memo, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore, type ReactNode } from 'react';
import type { Page } from '../api/client';
import { DEEP } from '../api/reread';
import { LongRows } from './long-rows';
import { ProblemNote, Waiting } from './notes';

export interface Column<T> {
  title: string;
  /** What stands there; nothing at all is shown as a dash, and left out on a phone. */
  show: (row: T) => ReactNode;
  /** Figures stand to the right. */
  figure?: boolean;
  /** Left out on a phone. */
  wide?: boolean;
  /** How wide it is, in pixels; the others share the rest. Lists of which only a part is drawn have no other way to know. */
  width?: number;
}

export interface RowsProps<T> {
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string;
  /** Names the table for those who do not see it. */
  label: string;
  /** How a row is called, where rows can be chosen. */
  called?: ((row: T) => string) | undefined;
  chosen?: Set<string> | undefined;
  choose?: ((chosen: Set<string>) => void) | undefined;
}

/** Rows in a table; on a phone each is a card, by CSS alone. */
export function Rows<T>(props: RowsProps<T>) {
  const { rows, columns, id, label, called, chosen } = props;
  const toggle = useToggle(props);
  return (
    <div className="sideways">
      <Table aria-label={label} className="cards" verticalSpacing="xs">
        <Head {...props} />
        <Table.Tbody>
          {rows.map((row) => (
            <OneRow
              key={id(row)}
              row={row}
              id={id(row)}
              columns={columns}
              called={called}
              isChosen={chosen?.has(id(row)) ?? false}
              toggle={toggle}
            />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** Chooses one row, or not any more. The same function for as long as the table lives, so that rows are not drawn anew. */
export function useToggle<T>({ chosen, choose }: RowsProps<T>) {
  const now = useRef({ chosen, choose });
  useEffect(() => {
    now.current = { chosen, choose };
  });
  const toggle = useCallback((key: string, on: boolean) => {
    const next = new Set(now.current.chosen);
    if (on) next.add(key);
    else next.delete(key);
    now.current.choose?.(next);
  }, []);
  return choose ? toggle : undefined;
}

/** The names of the columns, and the box that chooses all rows. */
export function Head<T>({ rows, columns, id, chosen, choose }: RowsProps<T>) {
  const all = chosen !== undefined && chosen.size > 0 && rows.every((row) => chosen.has(id(row)));
  const some = chosen !== undefined && chosen.size > 0;
  return (
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
          <Table.Th key={column.title} ta={column.figure ? 'right' : undefined} w={column.width}>
            {column.title}
          </Table.Th>
        ))}
      </Table.Tr>
    </Table.Thead>
  );
}

interface OneRowProps<T> {
  row: T;
  id: string;
  columns: Column<T>[];
  called: ((row: T) => string) | undefined;
  isChosen: boolean;
  toggle: ((key: string, on: boolean) => void) | undefined;
  /** Its place in a list of which only a part is drawn. */
  place?: number;
  measure?: ((row: HTMLTableRowElement | null) => void) | undefined;
}

function PlainRow<T>({ row, id, columns, called, isChosen, toggle, place, measure }: OneRowProps<T>) {
  // Plain elements: these are what a long list is made of, while one scrolls.
  return (
    <tr ref={measure} className="row" data-chosen={isChosen || undefined} data-index={place} aria-rowindex={place === undefined ? undefined : place + 2}>
      {toggle && (
        <td className="pick">
          <input
            type="checkbox"
            aria-label={`Choose ${called ? called(row) : id}`}
            checked={isChosen}
            onChange={(event) => toggle(id, event.currentTarget.checked)}
          />
        </td>
      )}
      {columns.map((column) => {
        const shown = column.show(row);
        const none = shown === null || shown === undefined || shown === '' || shown === false || (Array.isArray(shown) && shown.length === 0);
        const classes = [column.wide || none ? 'wide' : '', column.figure ? 'right' : ''].join(' ').trim();
        return (
          <td key={column.title} data-label={column.title} className={classes || undefined}>
            {none ? '–' : shown}
          </td>
        );
      })}
    </tr>
  );
}

/** One row; drawn again only when something of it changes. */
export const OneRow = memo(PlainRow) as typeof PlainRow;

interface ListProps<T> extends Omit<RowsProps<T>, 'rows' | 'chosen' | 'choose'> {
  // The library's type carries five parameters that say nothing here.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  of: UseInfiniteQueryOptions<any, any, any, any, any>;
  /** Shown where there is nothing. */
  empty: ReactNode;
  /** What can be done with several at once. */
  bulk?: (chosen: T[], clear: () => void) => ReactNode;
  /** The list can be very long: it goes on by itself while one scrolls, and only what is seen is drawn. */
  long?: boolean;
  /** Rows of a long list are as high as what stands in them. */
  tall?: boolean;
}

/** A list of the API, a page at a time. */
export function DataTable<T>({ of, empty, bulk, long = false, tall = false, ...rest }: ListProps<T>) {
  const query = useInfiniteQuery(of);
  // Kept as they were chosen: a row may leave the list, by its filters, while something is done with it.
  const [chosen, setChosen] = useState<Map<string, T>>(new Map());
  const pages = (query.data as { pages: Page<T>[] } | undefined)?.pages;
  const rows = useMemo(() => pages?.flatMap((page) => page.items) ?? [], [pages]);
  const keys = useMemo(() => new Set(chosen.keys()), [chosen]);
  const { fetchNextPage, hasNextPage, isFetchingNextPage, isFetchNextPageError } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetchingNextPage, isFetchNextPageError]);
  if (pages === undefined) {
    return query.error ? <ProblemNote error={query.error} retry={() => void query.refetch()} /> : <Waiting />;
  }
  if (rows.length === 0 && chosen.size === 0) return <Paper withBorder className="list">{empty}</Paper>;
  const picked = () => {
    const shown = new Map(rows.map((row) => [rest.id(row), row]));
    return [...chosen].map(([key, row]) => shown.get(key) ?? row);
  };
  const choose = (wanted: Set<string>) => {
    const next = new Map<string, T>();
    for (const row of rows) if (wanted.has(rest.id(row))) next.set(rest.id(row), row);
    for (const [key, row] of chosen) if (wanted.has(key) && !next.has(key)) next.set(key, row);
    setChosen(next);
  };
  const table = { ...rest, rows, ...(bulk ? { chosen: keys, choose } : {}) };
  return (
    <Paper withBorder className="list">
      {bulk && chosen.size > 0 && (
        <Group px="md" py="xs" gap="sm" className="bulk" role="region" aria-label="Several at once">
          <Text size="sm" fw={600}>
            {chosen.size} chosen
          </Text>
          {bulk(picked(), () => setChosen(new Map()))}
          <Button size="xs" variant="subtle" onClick={() => setChosen(new Map())}>
            Choose none
          </Button>
        </Group>
      )}
      <Changed query={of.queryKey} pages={pages.length} />
      {long ? <LongRows {...table} tall={tall} more={more} /> : <Rows {...table} />}
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

/** A list of many pages is not read anew with every change, only when somebody asks for it. */
function Changed({ query, pages }: { query: readonly unknown[]; pages: number }) {
  const client = useQueryClient();
  const changed = useSyncExternalStore(
    (notify) => client.getQueryCache().subscribe(notify),
    () => client.getQueryState(query)?.isInvalidated ?? false,
  );
  if (!changed || pages <= DEEP) return null;
  return (
    <Group px="md" py="xs" gap="sm" className="bulk" role="status">
      <Text size="sm">Something has changed since these were read.</Text>
      <Button
        size="xs"
        variant="default"
        onClick={() => {
          window.scrollTo({ top: 0 });
          void client.resetQueries({ queryKey: query, exact: true });
        }}
      >
        Show the newest
      </Button>
    </Group>
  );
}
