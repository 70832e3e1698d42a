import { Text } from '@mantine/core';
import type { Schemas } from '../api/client';
import { StateBadge } from '../parts/badge';
import { Facts } from '../parts/facts';
import { Section } from '../parts/section';
import { Time } from '../parts/values';

const TITLES: Record<string, string> = { cancel: 'Cancel after it was sent', change: 'Change after it was sent' };

/** A cancel or change that came after the order was sent, and what the warehouse made of it. */
export function Race({ race }: { race: Schemas['RaceOut'] }) {
  return (
    <Section
      title={TITLES[race.what] ?? race.what}
      actions={<StateBadge state={race.outcome} tone={race.needs_person ? 'bad' : 'quiet'} />}
    >
      <Text size="sm">{race.told}</Text>
      <Facts
        of={[
          ['Noticed', race.why],
          ['When', <Time key="w" at={race.asked_at} />],
          ['Answer due', <Time key="d" at={race.deadline} />],
          ['Who asks when it is silent', race.owner],
          ['By hand', race.by_hand],
        ]}
      />
      <ol className="timeline">
        {race.steps.map((step) => (
          <li key={`${step.at}-${step.step}`}>
            <Text size="sm">{step.words}</Text>
            <Text size="xs" className="quiet">
              <Time at={step.at} />
              {step.actor ? ` · ${step.actor}` : ''}
            </Text>
          </li>
        ))}
      </ol>
    </Section>
  );
}
