import { Alert, Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { reading } from '../api/client';
import { useRights } from '../api/session';
import { ToButton } from '../parts/link';

/** On every page while nothing is sent: that it is so, why, and where it is released. */
export function Frozen() {
  const { decides } = useRights();
  const { data } = useQuery({ ...reading('/api/v1/safety'), enabled: decides, staleTime: 60_000 });
  if (!data?.frozen) return null;
  return (
    <Alert color="red" mb="md" title="Nothing is sent at the moment" role="status">
      <Group justify="space-between">
        <Text size="sm">{data.reason ?? 'Sending is frozen.'}</Text>
        <ToButton href="/safety" size="xs" color="red">
          Look at it
        </ToButton>
      </Group>
    </Alert>
  );
}
