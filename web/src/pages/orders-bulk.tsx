import { Button, Group, Modal, Stack, Switch, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, done, type Schemas } from '../api/client';
import type { Problem } from '../api/problem';
import { ProblemNote, Waiting } from '../parts/notes';
import { Going } from '../parts/works';
import { Became, carryOut, Count, Each, useOrdersWork, type OrdersWork } from './orders-work';

type Order = Schemas['OrderOut'];
type Filter = Schemas['BulkFilterIn'];
type Preview = Schemas['BulkPreviewOut'];

interface Offer {
  action: Schemas['BulkAction'];
  label: string;
  wantsReason?: boolean;
  danger?: boolean;
}

const OFFERED: Offer[] = [
  { action: 'retry', label: 'Try again' },
  { action: 'hold', label: 'Hold', wantsReason: true },
  { action: 'release', label: 'Release' },
  { action: 'cancel', label: 'Cancel', wantsReason: true, danger: true },
  { action: 'archive', label: 'Archive' },
  { action: 'unarchive', label: 'Bring back' },
];

interface Props {
  orders: Order[];
  /** What the list is filtered by: the same can be done with everything that it finds. */
  filter: Filter;
  clear: () => void;
}

/** What can be done with several orders. What it would do to each is asked from the program first. */
export function BulkActions({ orders, filter, clear }: Props) {
  const [offered, setOffered] = useState<Offer | null>(null);
  return (
    <>
      <Group gap="xs">
        {OFFERED.map((one) => (
          <Button key={one.action} size="xs" variant="default" onClick={() => setOffered(one)}>
            {one.label}
          </Button>
        ))}
      </Group>
      {offered && (
        <BulkDialog
          offered={offered}
          orders={orders}
          filter={filter}
          close={(finished) => {
            setOffered(null);
            if (finished) clear();
          }}
        />
      )}
    </>
  );
}

interface DialogProps extends Omit<Props, 'clear'> {
  offered: Offer;
  close: (finished: boolean) => void;
}

/** Shows what would happen to which orders; carries out exactly that; says what became of each. */
function BulkDialog({ offered, orders, filter, close }: DialogProps) {
  const client = useQueryClient();
  // The table may be read anew while this is open; it is about the orders that were chosen.
  const [chosen] = useState(() => orders.map((order) => order.id));
  const [all, setAll] = useState(false);
  const [reason, setReason] = useState('');
  const [begun, setBegun] = useState<number | null>(null);
  const work = useOrdersWork(begun);
  const wants = offered.wantsReason ?? false;
  const look = useMutation<Preview, Problem, boolean>({
    mutationFn: (everything) =>
      done(
        api.POST('/api/v1/orders/bulk/preview', {
          body: { action: offered.action, ...(everything ? { filter } : { orders: chosen }), reason: reason.trim() },
        }),
      ),
  });
  const { mutate: lookNow } = look;
  useEffect(() => {
    if (!wants) lookNow(false);
  }, [wants, lookNow]);
  const would = look.data?.would ?? 0;
  const start = ({ orders: looked, token }: Preview) => {
    const { action, label } = offered;
    const wanted = looked.filter((order) => !order.refused).map(({ order }) => order);
    setBegun(carryOut(client, { deed: { action, label, reason: reason.trim() }, orders: wanted, token }));
  };
  return (
    <Modal
      opened
      onClose={() => close(begun !== null)}
      title={`${offered.label}: ${orders.length === 1 ? `order ${orders[0]?.number}` : 'several orders'}`}
      size="lg"
      centered
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (look.data) start(look.data);
          else look.mutate(all);
        }}
      >
        <Stack>
          {work ? (
            <Ran work={work} went={setBegun} />
          ) : (
            <>
              <Switch
                label="All orders that the filters find, at most 1,000"
                checked={all}
                onChange={(event) => {
                  const everything = event.currentTarget.checked;
                  setAll(everything);
                  look.reset();
                  if (!wants) look.mutate(everything);
                }}
              />
              {wants && (
                <Textarea
                  label="Reason"
                  description="In a few words; kept in the audit trail of each."
                  required
                  value={reason}
                  onChange={(event) => {
                    setReason(event.currentTarget.value);
                    look.reset();
                  }}
                />
              )}
              {look.isPending && <Waiting what="Looking at each" />}
              {look.error && <ProblemNote error={look.error} retry={() => look.mutate(all)} />}
              {look.data && (
                <>
                  <div role="status">
                    <Count what="Would be done to" orders={look.data.orders} />
                  </div>
                  <Each orders={look.data.orders} />
                </>
              )}
            </>
          )}
          <Group justify="flex-end">
            {begun !== null ? (
              <Button onClick={() => close(true)}>Close</Button>
            ) : (
              <>
                <Button variant="default" onClick={() => close(false)}>
                  Leave it
                </Button>
                <Button
                  type="submit"
                  disabled={look.isPending || (look.data !== undefined && would === 0)}
                  color={look.data && offered.danger ? 'red' : undefined}
                >
                  {look.data ? `${offered.label}: ${would === 1 ? '1 order' : `${would} orders`}` : 'See what would happen'}
                </Button>
              </>
            )}
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** What was begun, while it goes on and once it has ended. */
function Ran({ work, went }: { work: OrdersWork; went: (id: number) => void }) {
  if (work.isGoing) return <Going work={work} isAsked />;
  return (
    <>
      <div role="status">
        <Became work={work} went={went} />
      </div>
      {work.problem && <ProblemNote error={work.problem} />}
      <Each orders={work.told.orders} />
    </>
  );
}
