import { Button, Group, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { api, done, type Schemas } from '../api/client';
import { Action } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { Diff } from '../parts/diff';
import { Facts } from '../parts/facts';
import { Section } from '../parts/section';
import { Time, Wanted, who } from '../parts/values';
import { MethodName } from './method-name';
import { again, called, FIELDS, type Parts } from './order-parts';

type Order = Schemas['OrderDetailOut'];
type Edit = Schemas['OrderEditOut'];

interface Props {
  order: Order;
  /** Edits it once more, with something typed already; without it, nothing can be edited. */
  edit: ((typed: Partial<Parts>) => void) | undefined;
}

/** What people want otherwise than Brightpearl says. */
export function OrderEdits({ order, edit }: Props) {
  if (order.edits.length === 0) return null;
  return (
    <Section title="Edited here" about="What is wanted otherwise than Brightpearl says. In Brightpearl nothing is changed.">
      {order.edits.map((one) => (
        <OneEdit key={one.field} order={order} of={one} edit={edit} />
      ))}
    </Section>
  );
}

function OneEdit({ order, of, edit }: { order: Order; of: Edit; edit: Props['edit'] }) {
  const isOvertaken = of.standing === 'overtaken';
  const title = FIELDS[of.field];
  const shown = of.differences.map((one): [string, ReactNode] => [called(one.part), <Difference key={one.part} order={order} of={one} />]);
  return (
    <Stack gap={6}>
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Text fw={500}>{title}</Text>
          {isOvertaken && <StateBadge state="overtaken" tone="bad" label="Brightpearl has changed it since" />}
          {of.standing === 'next' && <StateBadge state="next" tone="busy" label="From the next look on" />}
        </Group>
        {edit && (
          <Group gap="xs">
            {isOvertaken && (
              <Button size="xs" variant="default" aria-label={`Edit once more: ${title}`} onClick={() => edit(again(of))}>
                Edit once more
              </Button>
            )}
            <Action
              size="xs"
              label="Take back"
              about={`the edit: ${title}`}
              explains="It is again as Brightpearl says."
              run={() =>
                done(
                  api.POST('/api/v1/orders/{order}/edit', {
                    params: { path: { order: order.id } },
                    body: { take_back: [of.field], edition: order.edition },
                  }),
                )
              }
            />
          </Group>
        )}
      </Group>
      {of.field === 'ship_to' ? <Facts of={shown} /> : <Text size="sm">{shown.map(([, difference]) => difference)}</Text>}
      <Text size="xs" className="quiet">
        {who(of.by)}, <Time at={of.at} />
      </Text>
    </Stack>
  );
}

function Difference({ order, of }: { order: Order; of: Schemas['DifferenceOut'] }) {
  const shown = (text: string) => {
    if (text === '') return '';
    if (of.part === 'ship_method') return <MethodName connection={order.connection} id={Number(text)} />;
    return of.part === 'deliver_on' ? <Wanted at={text} /> : text;
  };
  return <Diff before={shown(of.source)} after={shown(of.wanted)} words={['Brightpearl', 'Wanted']} />;
}
