import { Button, Group, Paper, Stack, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { api, done, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { To } from '../parts/link';
import { useMends } from './cause-mends';
import { DEEDS, decision } from './order-actions';

type Explain = Schemas['ExplainOut'];
type ActionOut = Schemas['ActionOut'];

interface Props {
  explain: Explain;
  order?: string;
  connection: string;
  /** Opens what the order is edited in. */
  edit?: () => void;
}

/** Why something is where it is, what it waits for, and what a person can do about it. */
export function Explanation({ explain, edit, ...of }: Props) {
  const { decides } = useRights();
  const { why, state } = explain;
  const isHeld = state === 'held';
  const mends = useMends({
    connection: of.connection,
    words: of.order && (isHeld || state === 'error') ? why : '',
    then: `The order can be tried again now${isHeld ? '; it is also looked at again with every run of the orders channel' : ''}.`,
    size: 'sm',
  });
  return (
    <Paper withBorder p="md" component="section" aria-label="Why is it here">
      <Stack gap="xs">
        <Title order={2} size="h4">
          Why is it here
        </Title>
        <Text>{sentence(why)}</Text>
        {explain.waits_for && (
          <Text size="sm" className="quiet">
            It waits for {explain.waits_for}.
          </Text>
        )}
        {mends}
        {decides && explain.actions.length > 0 && (
          <Group gap="xs">
            {explain.actions.map((action) => (
              <OneAction key={action.command} action={action} edit={edit} {...of} />
            ))}
          </Group>
        )}
      </Stack>
    </Paper>
  );
}

function OneAction({ action, order, connection, edit }: Omit<Props, 'explain' | 'edit'> & { action: ActionOut; edit: Props['edit'] | undefined }) {
  const decided = decision(action);
  if (decided) return <Decide {...decided} does={action.does} />;
  switch (action.action) {
    case 'enable':
    case 'resume':
      return <To href={`/connections/${connection}`}>{action.does} To the connection</To>;
    case 'edit':
      return (
        <Button variant="default" onClick={edit}>
          Edit
        </Button>
      );
    // Always about a change.
    case 'applied':
    case 'void':
      return null;
    default: {
      // What explains a change offers decisions only.
      if (!order) return null;
      const deed = DEEDS[action.action];
      return (
        <Action
          label={deed.label}
          explains={action.does}
          wantsReason={deed.wantsReason}
          danger={deed.danger ?? false}
          run={(reason) => deed.run(order, reason)}
        />
      );
    }
  }
}

/** A person's decision about an effect; where it is there already, what it is called there. */
function Decide(props: { effect: string; name: Schemas['DecisionName']; label: string; does: string }) {
  const [reference, setReference] = useState('');
  const asksReference = props.name === 'applied';
  return (
    <Action
      label={props.label}
      wantsReason
      danger={props.name === 'void'}
      explains={
        <Stack gap="sm">
          <Text size="sm">{props.does}</Text>
          {asksReference && (
            <TextInput
              label="What it is called there"
              description="For example the number of the goods-out note."
              value={reference}
              onChange={(event) => setReference(event.currentTarget.value)}
            />
          )}
        </Stack>
      }
      run={(reason) =>
        done(
          api.POST('/api/v1/effects/{effect}/decide', {
            params: { path: { effect: props.effect } },
            body: { decision: props.name, reason, ...(reference ? { reference } : {}) },
          }),
        )
      }
    />
  );
}
