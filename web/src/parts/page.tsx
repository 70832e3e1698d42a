import { Group, Stack, Text, Title } from '@mantine/core';
import { useQuery, type UseQueryOptions } from '@tanstack/react-query';
import { useEffect, type ReactNode } from 'react';
import type { Problem } from '../api/problem';
import { To } from './link';
import { ProblemNote, Waiting } from './notes';

interface Props {
  title: string;
  /** Where one comes from: shown above, as a way back. */
  back?: { href: string; title: string };
  badge?: ReactNode;
  about?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page: its heading, what can be done with all of it, and its content. */
export function Page({ title, back, badge, about, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Millrace`;
  }, [title]);
  return (
    <Stack gap="lg">
      <div>
        {back && (
          <To href={back.href} size="sm">
            ‹ {back.title}
          </To>
        )}
        <Group justify="space-between" align="flex-start" gap="sm">
          <div className="heading">
            <Group gap="sm">
              <Title order={1} size="h2" tabIndex={-1}>
                {title}
              </Title>
              {badge}
            </Group>
            {about && (
              <Text className="quiet" maw={760} mt={4}>
                {about}
              </Text>
            )}
          </div>
          {actions && <Group gap="xs">{actions}</Group>}
        </Group>
      </div>
      {children}
    </Stack>
  );
}

/** Reads something and shows it; until then that it is read, or why not. */
export function Loaded<T>({
  of,
  children,
}: {
  of: UseQueryOptions<T, Problem, T, readonly unknown[]> | UseQueryOptions<T, Problem>;
  children: (data: T) => ReactNode;
}) {
  const query = useQuery(of as UseQueryOptions<T, Problem>);
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <ProblemNote error={query.error} retry={() => void query.refetch()} />;
  return <Waiting />;
}
