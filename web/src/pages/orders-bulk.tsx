import { Button, Group, Modal, Stack, Switch, Text, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, done, type Schemas } from '../api/client';
import { sentence, type Problem } from '../api/problem';
import { useAct } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { ProblemNote, Waiting } from '../parts/notes';
import { Rows } from '../parts/table';

type Order = Schemas['OrderOut'];
type Filter = Schemas['BulkFilterIn'];
type Preview = Schemas['BulkPreviewOut'];
type One = Schemas['BulkOrderOut'];

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
  // The table may be read anew while this is open; it is about the orders that were chosen.
  const [chosen] = useState(() => orders.map((order) => order.id));
  const [all, setAll] = useState(false);
  const [reason, setReason] = useState('');
  const wants = offered.wantsReason ?? false;
  const look = useMutation<Preview, Problem, boolean>({
    mutationFn: (everything) =>
      done(
        api.POST('/api/v1/orders/bulk/preview', {
          body: { action: offered.action, ...(everything ? { filter } : { orders: chosen }), reason: reason.trim() },
        }),
      ),
  });
  const run = useAct((token: string) => done(api.POST('/api/v1/orders/bulk', { body: { token } })));
  const { mutate: lookNow } = look;
  useEffect(() => {
    if (!wants) lookNow(false);
  }, [wants, lookNow]);
  const finished = run.data !== undefined;
  const token = look.data?.token;
  const would = look.data?.would ?? 0;
  return (
    <Modal opened onClose={() => !run.isPending && close(finished)} title={`${offered.label}: ${orders.length === 1 ? `order ${orders[0]?.number}` : 'several orders'}`} size="lg" centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token) run.mutate(token);
          else look.mutate(all);
        }}
      >
        <Stack>
          {!finished && (
            <Switch
              label="All orders that the filters find, at most 1,000"
              checked={all}
              disabled={run.isPending}
              onChange={(event) => {
                const everything = event.currentTarget.checked;
                setAll(everything);
                look.reset();
                if (!wants) look.mutate(everything);
              }}
            />
          )}
          {wants && !finished && (
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
          {run.error && <ProblemNote error={run.error} retry={() => look.mutate(all, { onSuccess: () => run.reset() })} />}
          {run.data ? (
            <Told what={`Done to ${run.data.done}`} refused={run.data.refused} orders={run.data.orders} />
          ) : (
            look.data && <Told what={`Would be done to ${would}`} refused={look.data.refused} orders={look.data.orders} />
          )}
          <Group justify="flex-end">
            {finished ? (
              <Button onClick={() => close(true)}>Close</Button>
            ) : (
              <>
                <Button variant="default" disabled={run.isPending} onClick={() => close(false)}>
                  Leave it
                </Button>
                <Button
                  type="submit"
                  disabled={look.isPending || (token !== undefined && would === 0)}
                  loading={run.isPending}
                  color={token && offered.danger ? 'red' : undefined}
                >
                  {token ? `${offered.label}: ${would === 1 ? '1 order' : `${would} orders`}` : 'See what would happen'}
                </Button>
              </>
            )}
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** So many are listed; the figures above count all of them. */
const SHOWN = 50;

function Told({ what, refused, orders }: { what: string; refused: number; orders: One[] }) {
  // Those that are left as they are come first: they are what somebody has to look at.
  const sorted = [...orders].sort((one, other) => Number(Boolean(other.refused)) - Number(Boolean(one.refused)));
  return (
    <>
      <Text size="sm" fw={600} role="status">
        {what}
        {refused > 0 ? `; ${refused} ${refused === 1 ? 'stays' : 'stay'} as ${refused === 1 ? 'it is' : 'they are'}` : ''}.
      </Text>
      <Rows
        label="Order by order"
        rows={sorted.slice(0, SHOWN)}
        id={(one) => one.order}
        columns={[
          { title: 'Order', show: (one) => one.number ?? one.order },
          { title: 'State', show: (one) => one.state && <StateBadge state={one.state} /> },
          { title: 'What happens', show: (one) => <Text size="sm">{sentence(one.outcome ?? (one.refused ? `Nothing: ${one.refused}` : ''))}</Text> },
        ]}
      />
      {sorted.length > SHOWN && (
        <Text size="sm" className="quiet">
          And {sorted.length - SHOWN} more.
        </Text>
      )}
    </>
  );
}
