import { Center, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { useEffect, type ReactNode } from 'react';

/** The plain frame of pages for those who are not signed in. */
export function Door({ title, about, children }: { title: string; about?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Millrace`;
  }, [title]);
  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper withBorder p="xl" w="100%" maw={440}>
        <Stack>
          <Group gap="xs">
            <img src="/icon.svg" alt="" width={28} height={28} />
            <Text fw={700}>Millrace</Text>
          </Group>
          <Title order={1} size="h3">
            {title}
          </Title>
          {about && <Text className="quiet">{about}</Text>}
          {children}
        </Stack>
      </Paper>
    </Center>
  );
}
