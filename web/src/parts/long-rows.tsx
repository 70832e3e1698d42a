import { Table } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, useState, type CSSProperties } from 'react';
import { Head, OneRow, useToggle, type Column, type RowsProps } from './table';

/** How high a row of the table is, in pixels; app.css sets it. Measuring each would cost more than drawing it. */
const HEIGHT = 45;
/** About how high a card is on a phone, until it was measured. */
const CARD = 150;
/** Below this width rows are cards; app.css has the same. */
const NARROW = '(max-width: 48em)';
/** Rows drawn beyond what is seen, on either side. */
const BEYOND = 12;
/** So many rows before the end the next page is asked for. */
const AHEAD = 60;
/** Of rows that differ in height, so many are all drawn: the browser's own search finds them then. */
const FEW = 100;

/** What a column without a width of its own gets at least, in pixels. */
const LEAST = 130;

interface Props<T> extends RowsProps<T> {
  /** Asks for the next page, where the list comes in pages. */
  more?: () => void;
  /** Rows are as high as what stands in them, and each is measured: for what has to be read in full. */
  tall?: boolean;
}

/**
 * Rows of a list that may be very long: only those near what is seen are in the document, with room kept for the others. A
 * screen reader is told how many there are and which one it is at.
 */
export function LongRows<T>({ more, tall = false, ...table }: Props<T>) {
  const { rows, columns, id, label, called, chosen } = table;
  const toggle = useToggle(table);
  const body = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  // What stands above the list grows and shrinks: with the width, with what is chosen, with another list.
  const cards = useMediaQuery(NARROW, undefined, { getInitialValueInEffect: false });
  const bar = (chosen?.size ?? 0) > 0;
  useLayoutEffect(() => {
    const measure = () => setTop((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
    measure();
    const watched = new ResizeObserver(measure);
    watched.observe(document.body);
    return () => watched.disconnect();
  }, [bar, rows.length]);
  const isMeasured = cards || tall;
  const list = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => (cards ? CARD : HEIGHT),
    getItemKey: (index) => {
      const row = rows[index];
      return row === undefined ? index : id(row);
    },
    overscan: tall && rows.length <= FEW ? rows.length : BEYOND,
    scrollMargin: top,
  });
  // Heights that were known are of the other kind once a phone is turned.
  useLayoutEffect(() => list.measure(), [cards, list]);
  const drawn = list.getVirtualItems();
  const last = drawn.at(-1)?.index ?? 0;
  const scrolled = (list.scrollOffset ?? 0) > 0;
  useEffect(() => {
    // Until somebody scrolls, the next page is left to the button.
    if (scrolled && last >= rows.length - AHEAD) more?.();
  }, [scrolled, last, rows.length, more]);
  const before = (drawn[0]?.start ?? top) - top;
  const after = list.getTotalSize() - ((drawn.at(-1)?.end ?? top) - top);
  return (
    <div className="sideways">
      <Table
        aria-label={label}
        aria-rowcount={rows.length + 1}
        className={tall ? 'cards long tall' : 'cards long'}
        style={least(columns, toggle !== undefined)}
        verticalSpacing="xs"
      >
        <Head {...table} />
        <Table.Tbody ref={body}>
          {before > 0 && <Room height={before} />}
          {drawn.map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const key = id(row);
            return (
              <OneRow
                key={key}
                row={row}
                id={key}
                columns={columns}
                called={called}
                isChosen={chosen?.has(key) ?? false}
                toggle={toggle}
                place={item.index}
                measure={isMeasured ? list.measureElement : undefined}
              />
            );
          })}
          {after > 0 && <Room height={after} />}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** The table gets no narrower than its columns need, but on a phone: app.css reads it. */
function least<T>(columns: Column<T>[], hasBoxes: boolean): CSSProperties {
  const width = columns.reduce((sum, column) => sum + (column.width ?? LEAST), hasBoxes ? 36 : 0);
  return { '--least': `${width}px` } as CSSProperties;
}

/** Room for rows that are not drawn. */
function Room({ height }: { height: number }) {
  return (
    <tr className="room" aria-hidden>
      <td style={{ height }} />
    </tr>
  );
}
