import { Paper, Select, Stack, Tabs, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ComponentProps } from 'react';
import { api, done, paging, whole, type Schemas } from '../api/client';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { ExportCsv } from '../parts/export';
import { FilterBar, useFilters } from '../parts/filters';
import { To, ToButton } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Page } from '../parts/page';
import { DataTable } from '../parts/table';
import { Code, Quantity, Time, who } from '../parts/values';
import { Drift } from './drift';
import { reasonOf, RunBadge } from './run-badge';

/** What is exported of each part of the page. */
const FILES: Record<string, ComponentProps<typeof ExportCsv>['kind']> = {
  levels: 'stock_levels',
  drift: 'drift',
  holds: 'stock_holds',
};

/** Stock of one connection: runs, what the warehouse counts, differences explained, and what is held. */
export function Stock() {
  const { administers } = useRights();
  const { data: connections } = useQuery(whole('/api/v1/connections'));
  const [filters, setFilters] = useFilters();
  const counts = connections?.find((one) => one.channels.some(({ channel, enabled, succeeded_at: ran }) => channel === 'stock' && (enabled || ran)));
  const connection = filters.connection ?? (counts ?? connections?.[0])?.id;
  const tab = filters.tab ?? 'runs';
  return (
    <Page
      title="Stock"
      about="The warehouse counts; Brightpearl is corrected by the difference that nothing else explains."
      actions={connection && <ExportCsv kind={FILES[tab] ?? 'stock_runs'} filter={{ connection }} />}
    >
      {connections?.length === 0 && (
        <Paper withBorder>
          <EmptyNote
            title="Nothing is connected yet"
            action={administers && <ToButton href="/connections/add">Add a connection</ToButton>}
          >
            Counts appear here once a connection's stock channel runs.
          </EmptyNote>
        </Paper>
      )}
      {connections && connection && (
        <Stack>
          <Select
            label="Connection"
            w={260}
            data={connections.map((one) => ({ value: one.id, label: one.name }))}
            value={connection}
            allowDeselect={false}
            onChange={(value) => setFilters({ ...filters, connection: value ?? undefined, text: undefined })}
          />
          <Tabs value={tab} onChange={(value) => setFilters({ connection, tab: value ?? 'runs' })} keepMounted={false}>
            <Tabs.List mb="md">
              <Tabs.Tab value="runs">Runs</Tabs.Tab>
              <Tabs.Tab value="levels">Levels</Tabs.Tab>
              <Tabs.Tab value="drift">Drift</Tabs.Tab>
              <Tabs.Tab value="holds">Held</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="runs">
              <Runs connection={connection} />
            </Tabs.Panel>
            <Tabs.Panel value="levels">
              <Levels connection={connection} />
            </Tabs.Panel>
            <Tabs.Panel value="drift">
              <Drift connection={connection} />
            </Tabs.Panel>
            <Tabs.Panel value="holds">
              <Holds connection={connection} />
            </Tabs.Panel>
          </Tabs>
        </Stack>
      )}
    </Page>
  );
}

function Runs({ connection }: { connection: string }) {
  return (
    <DataTable<Schemas['RunOut']>
      of={paging('/api/v1/connections/{connection}/stock/runs', { path: { connection }, query: { limit: 30 } })}
      label="Stock runs"
      id={(run) => run.id}
      columns={[
        { title: 'Made', show: (run) => <To href={`/stock/runs/${run.id}`}><Time at={run.made_at} /></To> },
        { title: 'State', show: (run) => <RunBadge state={run.state} /> },
        { title: 'Why', show: (run) => run.reason && <Text size="sm" maw={340}>{reasonOf(run)}</Text> },
        { title: 'Feed', show: (run) => <Code>{run.feed}</Code>, wide: true },
        { title: 'Counted', show: (run) => <Time at={run.cut_off} />, wide: true },
        { title: 'Compared', figure: true, show: (run) => run.compared },
        { title: 'Differ', figure: true, show: (run) => run.changed },
      ]}
      empty={
        <EmptyNote title="No run yet" action={<ToButton href={`/connections/${connection}`}>To the connection and its stock channel</ToButton>}>
          Each count of the warehouse is compared with Brightpearl while the stock channel is on. The comparison appears here, line by
          line, and waits for you the first time.
        </EmptyNote>
      }
    />
  );
}

function Levels({ connection }: { connection: string }) {
  const [filters] = useFilters();
  return (
    <Stack>
      <FilterBar list="levels" search="SKU" fields={[]} />
      <DataTable<Schemas['LevelOut']>
        of={paging('/api/v1/connections/{connection}/stock/levels', {
          path: { connection },
          query: { text: filters.text, limit: 100 },
        })}
        long
        label="Levels at the warehouse"
        id={(level) => `${level.sku} ${level.facility}`}
        columns={[
          { title: 'SKU', show: (level) => <Code>{level.sku}</Code> },
          { title: 'Facility', show: (level) => level.facility, wide: true },
          { title: 'Free', figure: true, show: (level) => <Quantity of={level.available} /> },
          { title: 'On the shelf', figure: true, show: (level) => <Quantity of={level.physical} /> },
          { title: 'Counted', show: (level) => <Time at={level.cut_off} /> },
        ]}
        empty={
          filters.text ? (
            <EmptyNote title="No SKU is like this">Search for another part of it.</EmptyNote>
          ) : (
            <EmptyNote title="No level is known" action={<ToButton href={`/connections/${connection}`}>To the connection and its stock channel</ToButton>}>
              What the warehouse has of each SKU appears here with the first count that it sends while the stock channel is on.
            </EmptyNote>
          )
        }
      />
    </Stack>
  );
}

function Holds({ connection }: { connection: string }) {
  const { decides } = useRights();
  const params = { path: { connection } };
  const release = (skus: string[]) =>
    done(api.POST('/api/v1/connections/{connection}/stock/release', { params, body: { skus } }));
  return (
    <DataTable<Schemas['HoldOut']>
      of={paging('/api/v1/connections/{connection}/stock/holds', { ...params, query: { limit: 100 } })}
      label="Held products"
      id={(hold) => `${hold.product} ${hold.warehouse}`}
      columns={[
        { title: 'SKU', show: (hold) => <Code>{hold.sku}</Code> },
        { title: 'Why', show: (hold) => hold.reason },
        { title: 'Who', show: (hold) => <span title={hold.actor}>{who(hold.actor)}</span>, wide: true },
        { title: 'Since', show: (hold) => <Time at={hold.at} /> },
        ...(decides
          ? [
              {
                title: 'Do',
                show: (hold: Schemas['HoldOut']) => (
                  <Action
                    size="xs"
                    label="Release"
                    about={hold.sku}
                    explains="The next count corrects it again, where it still differs."
                    run={() => release([hold.sku])}
                  />
                ),
              },
            ]
          : []),
      ]}
      empty={
        <EmptyNote title="No product is held">
          When a run is taken back (Runs, then the run, then Undo), its products are held, so that the next count does not repeat it.
          They stand here until somebody releases them.
        </EmptyNote>
      }
    />
  );
}
