import { Text } from '@mantine/core';

/** At the head of a form of several fields: what the asterisk behind some of their names means. */
export function Starred() {
  return (
    <Text size="sm" className="quiet">
      Fields with an asterisk{' '}
      <Text span c="var(--mantine-color-error)" aria-hidden>
        *
      </Text>{' '}
      must be filled in.
    </Text>
  );
}
