import { Alert, Button, CopyButton, Group, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { Code } from '../parts/values';

interface Props {
  title: string;
  secret: string;
  /** Teal where nothing is left to do, red where something went wrong. */
  color?: 'teal' | 'yellow' | 'red';
  children?: ReactNode;
}

const LOOPBACK = /^https?:\/\/((?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?)\//;

/** Something that is shown this once. */
export function Once({ title, secret, color = 'yellow', children }: Props) {
  // So links are made where no public address was given.
  const here = LOOPBACK.exec(secret)?.[1];
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
        {here && (
          <Text size="sm">
            This link opens only on the machine that Millrace runs on: its address is {here}. For somebody elsewhere, the operator
            starts Millrace with the address at which others reach it (<Code>--public-url https://…</Code>); then make the link again.
          </Text>
        )}
      </Stack>
    </Alert>
  );
}
