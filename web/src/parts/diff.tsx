import type { ReactNode } from 'react';

interface Props {
  /** What it is of, where that stands nowhere else. */
  label?: ReactNode;
  before: ReactNode;
  after: ReactNode;
  /** What is said of each. Strokes and colours alone are not for everybody. */
  words?: readonly [before: string, after: string];
  /** What was there stays: the other is what was offered in its place. */
  stays?: boolean;
}

/** What something was, and what it is in its place. */
export function Diff({ label, before, after, words: [was, is] = ['Before', 'Now'], stays = false }: Props) {
  const Was = stays ? 'span' : 'del';
  const Is = stays ? 'span' : 'ins';
  return (
    <span className="diff">
      {label !== undefined && <b>{label}</b>}
      <Was>
        <span className="quiet">{was}: </span>
        <span className="value lines">{orNothing(before)}</span>
      </Was>{' '}
      <Is>
        <span className="quiet">{is}: </span>
        <span className="value lines">{orNothing(after)}</span>
      </Is>
    </span>
  );
}

const orNothing = (value: ReactNode) => (value === '' || value === null || value === undefined ? 'nothing' : value);
