import { Paper, Progress, Stack, Text } from '@mantine/core';
import { reading, type Schemas } from '../api/client';
import { EmptyNote } from '../parts/notes';
import { Facts } from '../parts/facts';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { words } from '../parts/values';

/** Where the calls of each account went. */
export function Budget() {
  return (
    <Page
      title="API budget"
      about="Brightpearl allows about 200 calls a minute for an account. Shipments go first, then orders, then stock, then everything else."
    >
      <Loaded of={{ ...reading('/api/v1/budgets'), refetchInterval: 5_000 }}>
        {(budgets) => {
          const accounts = Object.entries(budgets as Record<string, Schemas['BudgetOut']>);
          return accounts.length === 0 ? (
            <Paper withBorder>
              <EmptyNote title="No account was called yet">An account appears with the first call to it. Calls are counted since the program was started.</EmptyNote>
            </Paper>
          ) : (
            <Stack>
              {accounts.map(([account, budget]) => (
                <Account key={account} account={account} budget={budget} />
              ))}
            </Stack>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Account({ account, budget }: { account: string; budget: Schemas['BudgetOut'] }) {
  const purposes = Object.entries(budget.calls).sort((one, other) => other[1] - one[1]);
  const most = Math.max(1, ...purposes.map(([, count]) => count));
  return (
    <Section title={account.replace(/^brightpearl:/, 'Brightpearl account ')}>
      <Facts
        of={[
          ['Most calls in a minute', budget.limit],
          ['Left, as the account last said', budget.remaining],
          ['Waiting now', String(budget.waiting)],
          ['Refused as too many', String(budget.throttled)],
          ['Calls of others', String(budget.foreign_calls)],
        ]}
      />
      <Rows
        label={`Calls to ${account}`}
        rows={purposes}
        id={([purpose]) => purpose}
        columns={[
          { title: 'For', show: ([purpose]) => words(purpose) },
          { title: 'Calls', figure: true, show: ([, count]) => count },
          {
            title: 'Share',
            wide: true,
            show: ([purpose, count]) => <Progress value={(100 * count) / most} aria-label={`${words(purpose)}: ${count}`} />,
          },
        ]}
      />
      <Text size="xs" className="quiet">
        Counted since this program was started.
      </Text>
    </Section>
  );
}
