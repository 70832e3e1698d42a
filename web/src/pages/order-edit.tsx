import { Alert, Button, Select, SimpleGrid, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { choicesOf } from '../api/choices';
import { api, done, type Schemas } from '../api/client';
import { say, useAct } from '../parts/act';
import { FormDialog } from '../parts/dialog';
import { useFaults } from '../parts/faults';
import { ADDRESS, filled, PARTS, wanted, type Part, type Parts } from './order-parts';

type Order = Schemas['OrderDetailOut'];

interface Props {
  /** As it is now: whatever was not typed follows it. */
  order: Order;
  /** What is typed already. */
  begin: Partial<Parts>;
  close: () => void;
}

/** What of an order can be otherwise than Brightpearl says, until it is sent. */
export function OrderEdit({ order, begin, close }: Props) {
  const [typed, setTyped] = useState(begin);
  const [edition, setEdition] = useState(order.edition);
  const before = filled(order);
  const given = { ...before, ...typed };
  const changed = PARTS.filter((part) => given[part] !== before[part]);
  const act = useAct(
    () =>
      done(
        api.POST('/api/v1/orders/{order}/edit', {
          params: { path: { order: order.id } },
          body: { ...wanted(given, changed), edition },
        }),
      ),
    () => {
      close();
      say('Edited. The order is read again, and goes on as it now stands.');
    },
  );
  const faults = useFaults(act.error);
  const input = (part: Part, label: string) => ({
    label,
    name: part,
    autoComplete: 'off',
    value: given[part],
    error: faults.at(part, given[part]),
    onChange: (event: { currentTarget: { value: string } }) => setTyped({ ...typed, [part]: event.currentTarget.value }),
  });
  return (
    // A click beside it would throw away what was typed.
    <FormDialog
      close={close}
      title={`Edit order ${order.number}`}
      size="lg"
      closeOnClickOutside={false}
      submit={() => act.mutate()}
      label="Keep the edit"
      busy={act.isPending}
      disabled={changed.length === 0 || order.edition !== edition}
      error={act.error}
      faults={faults}
      beside={
        <Text size="sm" className="quiet" role="status">
          {changed.length === 0 ? 'Nothing is changed yet.' : ''}
        </Text>
      }
    >
      <Text size="sm">It goes to the warehouse as it stands here. In Brightpearl nothing is changed.</Text>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        {ADDRESS.map(([part, label]) => (
          <TextInput key={part} {...input(part, label)} />
        ))}
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <Method
          connection={order.connection}
          value={given.ship_method}
          error={input('ship_method', '').error}
          change={(ship_method) => setTyped({ ...typed, ship_method })}
        />
        {/* There is no edit to no date: that is taken back. */}
        <TextInput type="date" {...input('deliver_on', 'Wanted by')} required={before.deliver_on !== ''} />
      </SimpleGrid>
      <Textarea {...input('notes', 'Notes for the warehouse')} description="At most 500 characters." autosize minRows={2} maxRows={8} />
      {order.edition !== edition && (
        <Alert color="yellow" title="Edited by somebody else meanwhile" role="alert">
          <Stack gap="xs" align="flex-start">
            <Text size="sm">What you have not touched stands here as it is now. What you have typed is still here.</Text>
            <Button size="xs" variant="default" onClick={() => setEdition(order.edition)}>
              It is still wanted
            </Button>
          </Stack>
        </Alert>
      )}
    </FormDialog>
  );
}

/** One of the account's shipping methods. The list comes from Brightpearl, which may take a while or fail: the rest goes without it. */
function Method(props: { connection: string; value: string; error: string | undefined; change: (id: string) => void }) {
  const { data, error } = useQuery(choicesOf(props.connection));
  const known = (data?.ship_methods ?? []).map((method) => ({ value: String(method.id), label: method.name }));
  const isKnown = props.value === '' || known.some((method) => method.value === props.value);
  return (
    <Select
      label="Shipping method"
      description={error ? 'The list cannot be read from Brightpearl now.' : undefined}
      placeholder={data ? 'None' : 'Reading the list …'}
      data={isKnown ? known : [{ value: props.value, label: `No. ${props.value}` }, ...known]}
      value={props.value || null}
      onChange={(id) => id && props.change(id)}
      allowDeselect={false}
      searchable
      error={props.error}
    />
  );
}
