import { Stack, Text } from '@mantine/core';
import { Section } from '../../parts/section';
import { Preflight } from '../preflight';

/** The connection is made, and off. What would have become of past orders shows whether it is ready. */
export function PreflightStep({ connection }: { connection: string }) {
  return (
    <Stack>
      <Section title="Pre-flight">
        <Text size="sm" maw={720}>
          The connection is made, and off. Before you switch it on, see what would have become of the orders of the last
          weeks, and mend what would have held them. Nothing is sent meanwhile.
        </Text>
      </Section>
      <Preflight connection={connection} />
    </Stack>
  );
}
