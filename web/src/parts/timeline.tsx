import { Group, Paper, Stack, Text } from '@mantine/core';
import type { Schemas } from '../api/client';
import { StateBadge } from './badge';
import { Block } from './block';
import { To } from './link';
import { Reveal } from './reveal';
import { Exact, took, words } from './values';

type Attempt = Schemas['AttemptOut'];

interface Props {
  attempts: Attempt[];
  /** What each effect is called, by id. */
  titles: Record<string, string>;
}

/** Every attempt, oldest first: what was sent, what came back, and how long it was since the one before. */
export function Timeline({ attempts, titles }: Props) {
  return (
    <ol className="timeline">
      {attempts.map((attempt, index) => (
        <Step
          key={`${attempt.effect}-${attempt.at}-${attempt.what}-${attempt.outcome}`}
          attempt={attempt}
          before={attempts[index - 1]}
          title={titles[attempt.effect] ?? attempt.effect}
        />
      ))}
    </ol>
  );
}

function Step({ attempt, before, title }: { attempt: Attempt; before: Attempt | undefined; title: string }) {
  const gap = before ? new Date(attempt.at).getTime() - new Date(before.at).getTime() : 0;
  return (
    <li>
      {gap >= 1_000 && (
        <Text size="xs" className="quiet" mb={4}>
          {took(gap)} later
        </Text>
      )}
      <Group gap="xs" align="center">
        <To href={`/effects/${attempt.effect}`} fw={500}>
          {title}
        </To>
        <StateBadge state={attempt.outcome} />
      </Group>
      <Text size="sm" className="quiet">
        {words(attempt.what)}: {attempt.note} · <Exact at={attempt.at} /> · took {took(attempt.took_ms)}
      </Text>
      {attempt.exchange && (
        <Reveal show="Show what was sent and answered" hide="Hide what was sent and answered">
          <Exchange of={attempt.exchange} />
        </Reveal>
      )}
    </li>
  );
}

function Exchange({ of }: { of: Schemas['ExchangeOut'] }) {
  return (
    <Paper withBorder p="sm" mt="xs">
      <Stack gap="xs">
        <Block label="Request">{of.request}</Block>
        {of.request_body && <Block label="Body of the request">{pretty(of.request_body)}</Block>}
        <Text size="sm">{of.status > 0 ? `Answered ${of.status}` : 'Answered'}</Text>
        <Block label="Answer">{pretty(of.response_body) || '(nothing)'}</Block>
      </Stack>
    </Paper>
  );
}

/** JSON with line breaks; anything else as it is. */
export function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
