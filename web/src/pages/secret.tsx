import { Alert, Button, CopyButton, Group, Stack, Text } from '@mantine/core';

/** Something that is shown this once. */
export function Once({ title, secret, children }: { title: string; secret: string; children?: string }) {
  return (
    <Alert color="yellow" title={title} role="status">
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
