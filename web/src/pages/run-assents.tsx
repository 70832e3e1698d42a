import { Group, List, Stack, Text } from '@mantine/core';
import { api, done, type Schemas } from '../api/client';
import { useRights, useSession } from '../api/session';
import { Action } from '../parts/act';
import { Section } from '../parts/section';
import { Time, who } from '../parts/values';

type Run = Schemas['RunDetailOut'];
type Assent = Schemas['AssentOut'];

/**
 * What a person's yes is: all that is needed; the first of two, which changes nothing; the second, which decides; or said before,
 * and once is all that one person can say it.
 */
export type Turn = 'alone' | 'first' | 'second' | 'said';

/** The yeses to a run, or to exactly these of its lines. */
function saidTo(run: Run, skus: string[]): Assent[] {
  return run.assents.filter((one) => one.skus.length === skus.length && one.skus.every((sku) => skus.includes(sku)));
}

export function turnOf(run: Run, person: string, skus: string[] = []): Turn {
  if (!run.two_people) return 'alone';
  const counted = saidTo(run, skus).filter((one) => one.counts);
  // Somebody else's comes first: where both were said and Brightpearl could not be read, either says it again.
  if (counted.some((one) => one.person !== person)) return 'second';
  return counted.length > 0 ? 'said' : 'first';
}

/** `1 product`, `2 products`. */
export const products = (count: number): string => `${count} ${count === 1 ? 'product' : 'products'}`;

/** What pressing the button does, in words. */
export function explained(turn: Turn, what: string): string {
  switch (turn) {
    case 'first':
      return 'Two people approve the stock of this connection. Your yes is written down, and nothing is corrected before somebody else has approved the same.';
    case 'second':
      return `Somebody else has approved it, so yours decides: ${what}`;
    default:
      return what;
  }
}

export const LABELS: Record<Turn, string> = {
  alone: 'Approve',
  first: 'Approve as the first of two',
  second: 'Approve as the second of two',
  said: 'You have approved',
};

function OneAssent({ said, me }: { said: Assent; me: string }) {
  return (
    <>
      <b>{who(said.by)}</b>
      {said.person === me && ' (you)'}: yes, <Time at={said.at} />
      {!said.counts && '. It does not count any more, because this person may no longer sign in'}
    </>
  );
}

/** Whose yes is there, and whose is missing, for a run that two people approve. */
export function RunAssents({ run }: { run: Run }) {
  const { person } = useSession();
  const { decides } = useRights();
  const said = saidTo(run, []);
  const turn = turnOf(run, person.id);
  const missing = {
    alone: '',
    first: 'Two people are missing. The first one’s yes changes nothing; the second one’s decides.',
    second: `One person is missing: anybody else who decides about stock${decides ? ', such as you' : ''}.`,
    said: 'One person is missing: anybody else who decides about stock. You have said yes, and one person cannot say it twice.',
  }[turn];
  return (
    <Section title="Two people approve this run">
      {said.length > 0 && (
        <List size="sm" aria-label="Who has approved">
          {said.map((one) => (
            <List.Item key={one.person}>
              <OneAssent said={one} me={person.id} />
            </List.Item>
          ))}
        </List>
      )}
      <Text size="sm" role="status">
        {missing}
      </Text>
    </Section>
  );
}

/** Who approved it, of a run that was acted upon. */
export function approvers(run: Run): string {
  return saidTo(run, [])
    .filter((one) => one.counts)
    .map((one) => who(one.by))
    .join(', ');
}

/** The held lines that one person wants to let go, and that wait for another. */
export function LineAssents({ run, held }: { run: Run; held: string[] }) {
  const { person } = useSession();
  const wanted = run.assents.filter((one) => one.skus.length > 0 && one.counts && one.skus.every((sku) => held.includes(sku)));
  const sets = [...new Map(wanted.map((one) => [one.skus.join('\n'), one.skus])).values()];
  return (
    <Stack gap="xs">
      {sets.map((skus) => (
        <Group key={skus.join('\n')} justify="space-between" role="group" aria-label={`Approved by one: ${skus.join(', ')}`}>
          <div>
            <Text size="sm" fw={600}>
              {skus.join(', ')}
            </Text>
            {saidTo(run, skus).map((one) => (
              <Text key={one.person} size="sm">
                <OneAssent said={one} me={person.id} />
              </Text>
            ))}
          </div>
          {turnOf(run, person.id, skus) === 'second' ? (
            <Action
              size="xs"
              variant="filled"
              label="Approve as the second of two"
              about={skus.join(', ')}
              explains={explained('second', `Brightpearl is corrected for ${skus.join(', ')}, where it still differs.`)}
              run={() => done(api.POST('/api/v1/stock/runs/{run}/approve', { params: { path: { run: run.id } }, body: { skus } }))}
            />
          ) : (
            <Text size="sm" className="quiet">
              Somebody else’s yes is missing.
            </Text>
          )}
        </Group>
      ))}
    </Stack>
  );
}
