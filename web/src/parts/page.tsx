import { Group, Stack, Text, Title } from '@mantine/core';
import { useQuery, type UseQueryOptions } from '@tanstack/react-query';
import { useEffect, useRef, type ReactNode } from 'react';
import type { Problem } from '../api/problem';
import { arrive } from './focus';
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
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Millrace`;
  }, [title]);
  useEffect(() => arrive(heading.current), []);
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
              <Title order={1} size="h2" tabIndex={-1} ref={heading}>
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
          {actions && (
            <Group gap="xs" align="flex-start">
              {actions}
            </Group>
          )}
        </Group>
      </div>
      {children}
    </Stack>
  );
}

interface LoadedProps<T> {
  of: UseQueryOptions<T, Problem, T, readonly unknown[]> | UseQueryOptions<T, Problem>;
  /** Where what is read makes the whole page: its heading and the way back until it is there, and where it is not. */
  page?: Pick<Props, 'title' | 'back'>;
  children: (data: T) => ReactNode;
}

/** Reads something and shows it; until then that it is read, or why not. */
export function Loaded<T>({ of, page, children }: LoadedProps<T>) {
  const query = useQuery(of as UseQueryOptions<T, Problem>);
  if (query.data !== undefined) return <>{children(query.data)}</>;
  const note = query.error ? <ProblemNote error={query.error} retry={() => void query.refetch()} /> : <Waiting />;
  return page ? <Page {...page}>{note}</Page> : note;
}
