import { Alert, Button, Center, Group, List, Loader, Stack, Text, Title } from '@mantine/core';
import IconAlertTriangle from '@tabler/icons-react/dist/esm/icons/IconAlertTriangle.mjs';
import { useEffect, useRef, type ReactNode } from 'react';
import { problemFrom, sentence } from '../api/problem';
import type { Faults } from './faults';
import { goToFault } from './focus';
import { MendButton } from './mend';
import { Prose } from './values';

interface ProblemProps {
  error: unknown;
  retry?: () => void;
  /** At the end of a form: what its fields say already is not said again. */
  faults?: Faults;
}

/** An error in words: what happened, why, what to do, and the way to where that is done. */
export function ProblemNote({ error, retry, faults }: ProblemProps) {
  const problem = problemFrom(error);
  const { told } = problem;
  const note = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (faults) return goToFault(note.current);
  }, [faults]);
  if (told.type === 'changed_meanwhile') return <Overtaken />;
  const problems = told.problems ?? [];
  const left = faults?.left() ?? problems;
  const standing = faults?.standing() ?? 0;
  const isSaidAtFields = left.length < problems.length;
  // All of it stood at fields, and each was changed since.
  if (isSaidAtFields && left.length === 0 && standing === 0) return null;
  return (
    <Alert ref={note} color="red" variant="light" icon={<IconAlertTriangle size={20} />} title={told.title} role="alert">
      <Stack gap="xs">
        {isSaidAtFields ? (
          standing > 0 && <Text size="sm">{standing === 1 ? 'One field says what is wrong with it.' : `${standing} fields say what is wrong with them.`}</Text>
        ) : (
          <Text size="sm" className="breaks">
            {sentence(told.detail)}
          </Text>
        )}
        {left.length > 0 && (
          <List size="sm">
            {left.map(({ at, problem: why }) => (
              <List.Item key={at + why}>
                {at ? <b>{at}: </b> : null}
                {why}
              </List.Item>
            ))}
          </List>
        )}
        <Text size="sm" fw={600}>
          {told.remedy && <Prose>{told.remedy}</Prose>}
        </Text>
        <Group gap="md">
          {retry && told.status !== 404 && (
            <Button size="xs" variant="default" onClick={retry}>
              Try again
            </Button>
          )}
          <MendButton problem={problem} retry={retry} />
          {told.instance && (
            <Text size="xs" className="quiet breaks">
              In the log: {told.instance}
            </Text>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}

/** Nothing was written, because what the change was made from is no longer what is kept. */
function Overtaken() {
  return (
    <Alert color="yellow" variant="light" icon={<IconAlertTriangle size={20} />} title="Changed by somebody else meanwhile" role="alert">
      <Stack gap="xs">
        <Text size="sm">
          Since you opened this, somebody else has changed it. Nothing of yours was kept, and nothing of theirs was overwritten. Load what
          is there now, and make your change again where it is still wanted.
        </Text>
        <Group>
          <Button size="xs" variant="default" onClick={() => window.location.reload()}>
            Load what is there now
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}

/** Where nothing is: what will appear here, and how to get there. */
export function EmptyNote({ title, children, action }: { title: string; children: NonNullable<ReactNode>; action?: ReactNode }) {
  return (
    <Center py="xl" px="md">
      <Stack align="center" gap="xs" maw={460}>
        <Title order={3} size="h4" ta="center">
          {title}
        </Title>
        <Text ta="center" className="quiet">
          {children}
        </Text>
        {action}
      </Stack>
    </Center>
  );
}

export function Waiting({ what = 'Loading' }: { what?: string }) {
  return (
    <Center py="xl">
      <Group gap="sm" role="status">
        <Loader size="sm" aria-hidden />
        <Text className="quiet">{what} …</Text>
      </Group>
    </Center>
  );
}
