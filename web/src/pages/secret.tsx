import { Alert, Button, CopyButton, Group, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  title: string;
  secret: string;
  /** Teal where nothing is left to do, red where something went wrong. */
  color?: 'teal' | 'yellow' | 'red';
  children?: ReactNode;
}

/** Something that is shown this once. */
export function Once({ title, secret, color = 'yellow', children }: Props) {
  return (
    <Alert color={color} title={title} role="status">
      <Stack gap="xs">
        <Text size="sm">{children ?? 'It is shown this once and not kept readable. Put it where it belongs now.'}</Text>
        <Group gap="xs" wrap="nowrap" align="flex-start">
          <Text ff="monospace" size="sm" className="breaks">
            {secret}
          </Text>
          <CopyButton value={secret}>
            {({ copied, copy }) => (
              <Button size="xs" variant="default" flex="none" onClick={copy}>
                {copied ? 'Copied' : 'Copy'}
              </Button>
            )}
          </CopyButton>
        </Group>
      </Stack>
    </Alert>
  );
}
