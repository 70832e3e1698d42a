import { Button, Group, List, Progress, SimpleGrid, Text, Textarea, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutationState } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, done, type Schemas } from '../api/client';
import { say, useAct } from '../parts/act';
import { FormDialog } from '../parts/dialog';
import { Facts } from '../parts/facts';
import { useFaults } from '../parts/faults';
import { Section } from '../parts/section';

type Look = Schemas['ErasureOut'];

/** Under which an erasure is found while it goes on, whatever page is open. */
export const eraseKey = (merchant: string) => ['erase', merchant];

/** `1 finished order`, `3 finished orders`. */
const finished = (count: number) => `${count} finished order${count === 1 ? '' : 's'}`;

/** docs/personal-data.md has the same, in full. */
const KINDS: [title: string, what: string[]][] = [
  [
    'Goes, for good',
    [
      'Names, companies, addresses, telephones and e-mails of finished orders; the country stays',
      'Notes, edits of addresses, and words of lines without a product',
      'What was sent to the warehouse for them, and what every attempt sent and received',
      'The files and pages of warehouses, as they came',
    ],
  ],
  [
    'Stays, so that nothing is done twice',
    [
      'Order numbers, references, times, SKUs, quantities and prices',
      'Keys and outcomes of every change, names of files',
      'Shipments and their tracking numbers',
      'Reasons that people typed, in the audit trail too',
    ],
  ],
  [
    'Is not erased here',
    [
      'What Brightpearl and the warehouse keep. Erase there first: an order that comes into scope again is read again',
      'Backups that were taken before. Remove them, or let them run out',
    ],
  ],
];

/** What would be erased, and the button that does it. */
export function Erasure({ look }: { look: Look }) {
  const [opened, dialog] = useDisclosure(false);
  const { merchant, orders, in_flight, inputs, exceptions } = look;
  const [going] = useMutationState({
    filters: { mutationKey: eraseKey(merchant.id), status: 'pending' },
    select: (erasure) => (erasure.state.variables as Schemas['ErasureIn']).orders,
  });
  const nothing = orders === 0 && inputs === 0 && exceptions === 0;
  return (
    <Section
      title="Erase people"
      about="Replaces whoever ordered and whoever was shipped to in orders that are finished: closed, skipped, cancelled or archived, with nothing more to send. It cannot be taken back."
    >
      <Facts
        of={[
          ['Finished orders with people in them', <b key="o">{orders}</b>],
          ['Orders that keep their people, because they are not finished', String(in_flight)],
          ['Files and pages of warehouses', String(inputs)],
          ['Inputs that could not be used and were dealt with', String(exceptions)],
        ]}
      />
      <SimpleGrid cols={{ base: 1, md: 3 }} my="xs">
        {KINDS.map(([title, what]) => (
          <div key={title}>
            <Title order={3} size="h5" mb={4}>
              {title}
            </Title>
            <List size="sm" spacing={4} pr="md">
              {what.map((one) => (
                <List.Item key={one}>{one}</List.Item>
              ))}
            </List>
          </div>
        ))}
      </SimpleGrid>
      {going !== undefined && <Going of={going} left={orders} />}
      <Group gap="sm">
        <Button color="red" disabled={nothing || going !== undefined} onClick={dialog.open}>
          Erase people
        </Button>
        {nothing && <Text size="sm">There is nobody to erase.</Text>}
      </Group>
      <Dialog look={look} opened={opened} close={dialog.close} />
    </Section>
  );
}

/** How far it has come: fewer orders have people in them with every look. */
function Going({ of, left }: { of: number; left: number }) {
  const through = Math.max(0, of - left);
  return (
    <div>
      <Text size="sm" role="status">
        {through} of {finished(of)} are done. It goes on to its end, even if you leave this page.
      </Text>
      <Progress value={of > 0 ? (100 * through) / of : 100} aria-label="How far the erasure has come" mt="xs" />
    </div>
  );
}

function Dialog({ look, opened, close }: { look: Look; opened: boolean; close: () => void }) {
  const { merchant, orders, in_flight } = look;
  const [reason, setReason] = useState('');
  const erase = useAct(
    (body: Schemas['ErasureIn']) =>
      done(api.POST('/api/v1/merchants/{merchant}/erasure', { params: { path: { merchant: merchant.id } }, body })),
    (before) => {
      say(before.orders > 0 ? `The people of ${finished(before.orders)} are erased.` : 'What was kept as it came is erased.');
      setReason('');
      close();
    },
    eraseKey(merchant.id),
  );
  const faults = useFaults(erase.error);
  const leave = () => {
    close();
    if (!erase.isPending) erase.reset();
  };
  const what: ReactNode = orders > 0 ? <b>{finished(orders)}</b> : 'what was kept as it came from warehouses';
  return (
    <FormDialog
      opened={opened}
      close={leave}
      title={`Erase people of ${merchant.name}`}
      submit={() => erase.mutate({ orders, reason: reason.trim() })}
      label="Erase for good"
      busy={erase.isPending}
      danger
      error={erase.error}
      faults={faults}
    >
      <Text size="sm">
        The people in {what} are erased, <b>for good</b>. Nobody can bring them back, except from a backup.
        {in_flight > 0 && ` ${in_flight} that ${in_flight === 1 ? 'is' : 'are'} not finished keep their people: do it again later.`}
      </Text>
      <Textarea
        label="Reason"
        description="In a few words, without names; kept in the audit trail."
        value={reason}
        error={faults.at('reason', reason)}
        onChange={(event) => setReason(event.currentTarget.value)}
        required
        autosize
        minRows={2}
        data-autofocus
      />
    </FormDialog>
  );
}
