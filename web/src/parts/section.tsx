import { Group, Paper, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

/** A part of a page, under a heading of its own. */
export function Section(props: { title: string; about?: ReactNode; actions?: ReactNode; children?: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" className="section" aria-label={props.title}>
      <Stack gap="sm" h="100%">
        <Group justify="space-between" gap="xs">
          <Title order={2} size="h4">
            {props.title}
          </Title>
          {props.actions && <Group gap="xs">{props.actions}</Group>}
        </Group>
        {props.about && (
          <Text size="sm" className="quiet" maw={720}>
            {props.about}
          </Text>
        )}
        {props.children}
      </Stack>
    </Paper>
  );
}
