import { Alert, Button, List, Stack, Text } from '@mantine/core';
import type { Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { words } from '../parts/values';

interface Props {
  check: Schemas['EndpointCheckOut'];
  /** Tests again and keeps what is learned, once the person has compared it. */
  trust?: () => void;
}

/** What a test found, in the words of the program: what is wrong, what was reached, what else is to be known. */
export function Found({ problem, reached, warnings }: Pick<Schemas['EndpointCheckOut'], 'problem' | 'reached' | 'warnings'>) {
  return (
    <>
      {problem && (
        <Text size="sm" fw={600}>
          {sentence(problem)}
        </Text>
      )}
      {reached.length > 0 && (
        <List size="sm">
          {reached.map((line) => (
            <List.Item key={line}>{line}</List.Item>
          ))}
        </List>
      )}
      {warnings.map((line) => (
        <Text key={line} size="sm">
          <b>Note:</b> {line}
        </Text>
      ))}
    </>
  );
}

/** What a test of one side reached, or what is wrong and how to mend it. */
export function CheckResult({ check, trust }: Props) {
  const side = check.side === 'store' ? 'Store' : 'Warehouse';
  const learned = Object.entries(check.learned ?? {});
  return (
    <Alert
      color={check.ok ? 'teal' : 'red'}
      title={`${side} ${check.name}: ${check.ok ? 'it can be worked with' : 'it cannot be worked with yet'}`}
      role="status"
    >
      <Stack gap="xs">
        <Found {...check} />
        {learned.map(([name, value]) => (
          <Text key={name} size="sm" className="breaks">
            <b>{words(name)}:</b> {value}
          </Text>
        ))}
        {learned.length > 0 && !check.kept && trust && (
          <div>
            <Text size="sm" mb="xs">
              Compare this with what the owner of the server tells you. Only then keep it.
            </Text>
            <Button size="xs" onClick={trust}>
              It is the same: keep it
            </Button>
          </div>
        )}
      </Stack>
    </Alert>
  );
}
