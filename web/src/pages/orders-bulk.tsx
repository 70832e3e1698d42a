import { Button, Group, List, Modal, Progress, Stack, Text, Textarea } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { problemFrom, sentence } from '../api/problem';
import { DEEDS } from './order-actions';

type Order = Schemas['OrderOut'];

/** What can be done with several orders, what it does to each, and from which states it makes sense. */
const OFFERED: { name: string; does: string; fits: string[] }[] = [
  { name: 'retry', does: 'Each is read again from Brightpearl and planned anew.', fits: ['new', 'held', 'error', 'skipped', 'shipped'] },
  { name: 'hold', does: 'Each is held back until somebody releases it.', fits: ['new', 'queued', 'held'] },
  { name: 'release', does: 'Each goes on.', fits: ['held', 'archived'] },
  { name: 'cancel', does: 'Each is not sent, or asked back from the warehouse.', fits: ['held', 'queued', 'open', 'error'] },
  { name: 'archive', does: 'Each is put away.', fits: ['new', 'held', 'error', 'skipped', 'closed', 'cancelled'] },
];

interface Outcome {
  done: number;
  failed: { order: Order; why: string }[];
}

export function BulkActions({ orders, clear }: { orders: Order[]; clear: () => void }) {
  const [offered, setOffered] = useState<(typeof OFFERED)[number] | null>(null);
  return (
    <>
      <Group gap="xs">
        {OFFERED.map((one) => (
          <Button key={one.name} size="xs" variant="default" onClick={() => setOffered(one)}>
            {DEEDS[one.name]?.label.replace('Cancel the order', 'Cancel')}
          </Button>
        ))}
      </Group>
      {offered && (
        <BulkDialog
          offered={offered}
          orders={orders}
          close={(finished) => {
            setOffered(null);
            if (finished) clear();
          }}
        />
      )}
    </>
  );
}

interface DialogProps {
  offered: (typeof OFFERED)[number];
  orders: Order[];
  close: (finished: boolean) => void;
}

/** Shows which orders it is about before anything is done, then does it one by one and says what became of each. */
function BulkDialog({ offered, orders, close }: DialogProps) {
  const client = useQueryClient();
  const deed = DEEDS[offered.name];
  const [reason, setReason] = useState('');
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [runs, setRuns] = useState(false);
  // What the table knows may be replaced while this runs; it is about the orders that were shown.
  const [fitting] = useState(() => orders.filter((order) => offered.fits.includes(order.state)));
  const [others] = useState(() => orders.filter((order) => !offered.fits.includes(order.state)));
  if (!deed) return null;
  const run = async () => {
    setRuns(true);
    const so_far: Outcome = { done: 0, failed: [] };
    for (const order of fitting) {
      try {
        await deed.run(order.id, reason.trim());
        so_far.done += 1;
      } catch (error) {
        const { told } = problemFrom(error);
        so_far.failed.push({ order, why: `${sentence(told.detail)} ${told.remedy}` });
      }
      setOutcome({ ...so_far });
    }
    setRuns(false);
    await client.invalidateQueries();
  };
  const count = (outcome?.done ?? 0) + (outcome?.failed.length ?? 0);
  const finished = outcome !== null && !runs;
  return (
    <Modal opened onClose={() => !runs && close(finished)} title={`${deed.label}: ${fitting.length} orders`} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <Stack>
          <Text size="sm">{offered.does}</Text>
          {fitting.length > 0 && (
            <Text size="sm">
              <b>{fitting.length}:</b> {fitting.slice(0, 12).map((order) => order.number).join(', ')}
              {fitting.length > 12 ? ` and ${fitting.length - 12} more` : ''}
            </Text>
          )}
          {others.length > 0 && (
            <Text size="sm" className="quiet">
              Left as they are, since their state does not allow it: {others.map((order) => order.number).join(', ')}
            </Text>
          )}
          {deed.wantsReason && !outcome && (
            <Textarea
              label="Reason"
              description="In a few words; kept in the audit trail of each."
              required
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
          )}
          {outcome && (
            <>
              <Progress
                value={(100 * count) / Math.max(1, fitting.length)}
                aria-label={`${count} of ${fitting.length} done`}
                color={outcome.failed.length > 0 ? 'yellow' : 'teal'}
              />
              <Text size="sm" role="status">
                {outcome.done} of {fitting.length} done{outcome.failed.length > 0 ? `, ${outcome.failed.length} not` : ''}.
              </Text>
              <List size="sm">
                {outcome.failed.map(({ order, why }) => (
                  <List.Item key={order.id}>
                    {order.number}: {why}
                  </List.Item>
                ))}
              </List>
            </>
          )}
          <Group justify="flex-end">
            {finished ? (
              <Button onClick={() => close(true)}>Close</Button>
            ) : (
              <Button type="submit" disabled={fitting.length === 0} loading={runs} color={deed.danger ? 'red' : undefined}>
                {deed.label}
              </Button>
            )}
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
