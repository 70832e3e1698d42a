import { Group, Paper, Stack, Text } from '@mantine/core';
import type { Schemas } from '../api/client';
import { StateBadge } from './badge';
import { Block } from './block';
import { To } from './link';
import { Reveal } from './reveal';
import { Exact, took, words } from './values';

type Attempt = Schemas['AttemptOut'];

/** Something that somebody did here, in words. */
export interface Deed {
  at: string;
  title: string;
  who: string;
  /** Why, and what else was written down with it. */
  reason: string;
  further: string;
}

interface Props {
  attempts: Attempt[];
  /** What each effect is called, by id. */
  titles: Record<string, string>;
  /** What people did meanwhile; it stands among the attempts. */
  deeds?: Deed[];
}

type Moment = { at: string; attempt: Attempt } | { at: string; deed: Deed };

/** Every attempt and what people did, oldest first: what was sent, what came back, and how long it was since the one before. */
export function Timeline({ attempts, titles, deeds = [] }: Props) {
  const moments: Moment[] = [
    ...attempts.map((attempt) => ({ at: attempt.at, attempt })),
    ...deeds.map((deed) => ({ at: deed.at, deed })),
  ].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  return (
    <ol className="timeline">
      {moments.map((moment, index) => (
        <li key={keyOf(moment)} data-deed={'deed' in moment || undefined}>
          <Gap before={moments[index - 1]?.at} at={moment.at} />
          {'deed' in moment ? (
            <Done deed={moment.deed} />
          ) : (
            <Step attempt={moment.attempt} title={titles[moment.attempt.effect] ?? moment.attempt.effect} />
          )}
        </li>
      ))}
    </ol>
  );
}

function keyOf(moment: Moment): string {
  if ('deed' in moment) return `${moment.at} ${moment.deed.title} ${moment.deed.who}`;
  const { effect, at, what, outcome } = moment.attempt;
  return `${effect}-${at}-${what}-${outcome}`;
}

function Gap({ before, at }: { before: string | undefined; at: string }) {
  const gap = before ? Date.parse(at) - Date.parse(before) : 0;
  if (gap < 1_000) return null;
  return (
    <Text size="xs" className="quiet" mb={4}>
      {took(gap)} later
    </Text>
  );
}

function Done({ deed: { at, title, who, reason, further } }: { deed: Deed }) {
  return (
    <>
      <Group gap="xs" align="center">
        <Text fw={500}>{title}</Text>
        <StateBadge state="by_person" label="Done here" />
      </Group>
      <Text size="sm" className="quiet breaks">
        {who} · <Exact at={at} />
        {further && ` · ${further}`}
      </Text>
      {reason && (
        <Text size="sm" className="breaks">
          Reason: {reason}
        </Text>
      )}
    </>
  );
}

function Step({ attempt, title }: { attempt: Attempt; title: string }) {
  return (
    <>
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
    </>
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
