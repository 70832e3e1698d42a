import { Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, done, paging, reading, whole, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { Action } from '../parts/act';
import { To, ToButton } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Page } from '../parts/page';
import { Section } from '../parts/section';
import { DataTable } from '../parts/table';
import { NameButton, Rename } from './name-button';

type Side = Schemas['Side'];
type Endpoint = Schemas['EndpointOut'];
type Merchant = Schemas['MerchantOut'];

/** Whose goods there are, and the accounts of both sides: other names, and taking away what is not needed. */
export function Merchants() {
  return (
    <Page
      title="Merchants"
      about="The brands whose goods are shipped, and the stores and warehouses that belong to them. A store or a warehouse is made while a connection is added."
      actions={<NewMerchant />}
    >
      <Section title="Merchants" about="Two merchants never see each other's orders. On the page of one, its data is taken along, and people are erased from it.">
        <MerchantRows />
      </Section>
      <Section title="Stores" about="Accounts at Brightpearl, where orders come from.">
        <Endpoints side="store" />
      </Section>
      <Section title="Warehouses" about="Accounts at warehouses, where orders go.">
        <Endpoints side="warehouse" />
      </Section>
    </Page>
  );
}

function NewMerchant() {
  return (
    <NameButton
      label="Add a merchant"
      title="Add a merchant"
      field="Name of the merchant"
      end="Add"
      run={(name) => done(api.POST('/api/v1/merchants', { body: { name } }))}
    />
  );
}

/** All connections, those that were put away included: they keep what belongs to them. */
const CONNECTIONS = whole('/api/v1/connections', { query: { archived: true } });

function Uses({ of }: { of: Schemas['ConnectionOut'][] }) {
  return of.map((one, place) => (
    <span key={one.id}>
      {place > 0 && ', '}
      <To href={`/connections/${one.id}`}>{one.name}</To>
    </span>
  ));
}

function MerchantRows() {
  const { data: connections } = useQuery(CONNECTIONS);
  return (
    <DataTable<Merchant>
      of={paging('/api/v1/merchants', { query: { limit: 50 } })}
      label="Merchants"
      id={(merchant) => merchant.id}
      columns={[
        { title: 'Merchant', show: (merchant) => <To href={`/merchants/${merchant.id}`}>{merchant.name}</To> },
        { title: 'Connections', show: (merchant) => uses(connections, (one) => one.merchant === merchant.id) },
        {
          title: 'Do',
          show: (merchant) => (
            <Group gap="xs">
              <Rename
                size="xs"
                name={merchant.name}
                what="merchant"
                run={(name) => done(api.PATCH('/api/v1/merchants/{merchant}', { params: { path: { merchant: merchant.id } }, body: { name } }))}
              />
              <Action
                size="xs"
                label="Remove"
                about={merchant.name}
                danger
                explains={`${merchant.name} is removed, if no store, warehouse, order or person belongs to it. What does is named, and nothing is removed then.`}
                run={() => done(api.DELETE('/api/v1/merchants/{merchant}', { params: { path: { merchant: merchant.id } } }))}
              />
            </Group>
          ),
        },
      ]}
      empty={<EmptyNote title="No merchants yet">Add one here, or while you add a connection.</EmptyNote>}
    />
  );
}

function uses(connections: Schemas['ConnectionOut'][] | undefined, fits: (one: Schemas['ConnectionOut']) => boolean) {
  const found = connections?.filter(fits) ?? [];
  return found.length > 0 && <Uses of={found} />;
}

/** Lists, renames and removes either side. */
const SIDES = {
  store: {
    list: paging('/api/v1/stores', { query: { limit: 50 } }),
    rename: (store: string, name: string) => done(api.PATCH('/api/v1/stores/{store}', { params: { path: { store } }, body: { name } })),
    remove: (store: string) => done(api.DELETE('/api/v1/stores/{store}', { params: { path: { store } } })),
  },
  warehouse: {
    list: paging('/api/v1/warehouses', { query: { limit: 50 } }),
    rename: (warehouse: string, name: string) =>
      done(api.PATCH('/api/v1/warehouses/{warehouse}', { params: { path: { warehouse } }, body: { name } })),
    remove: (warehouse: string) => done(api.DELETE('/api/v1/warehouses/{warehouse}', { params: { path: { warehouse } } })),
  },
} as const;

function Endpoints({ side }: { side: Side }) {
  const names = useNames();
  const { data: connections } = useQuery(CONNECTIONS);
  const { data: platforms } = useQuery({ ...reading('/api/v1/platforms'), staleTime: Infinity });
  return (
    <DataTable<Endpoint>
      of={SIDES[side].list}
      label={side === 'store' ? 'Stores' : 'Warehouses'}
      id={(one) => one.id}
      columns={[
        { title: side === 'store' ? 'Store' : 'Warehouse', show: (one) => one.name },
        { title: 'Platform', show: (one) => platforms?.find(({ name }) => name === one.platform)?.title ?? one.platform },
        { title: 'Merchant', show: (one) => names.merchant(one.merchant) },
        { title: 'Connections', show: (one) => uses(connections, (connection) => connection[side] === one.id) },
        {
          title: 'Do',
          show: (one) => (
            <Group gap="xs">
              <Rename size="xs" name={one.name} what={side} run={(name) => SIDES[side].rename(one.id, name)} />
              <Action
                size="xs"
                label="Remove"
                about={one.name}
                danger
                explains={
                  <Text size="sm">
                    {one.name} is removed with its credentials, if no connection uses it. A connection that was put away still does:
                    what happened with it stays, and its accounts with it.
                  </Text>
                }
                run={() => SIDES[side].remove(one.id)}
              />
            </Group>
          ),
        },
      ]}
      empty={
        <EmptyNote title={`No ${side}s yet`} action={<ToButton href="/connections/add">Add a connection</ToButton>}>
          One is made in the step {side === 'store' ? 'Store' : 'Warehouse'} Setup of adding a connection.
        </EmptyNote>
      }
    />
  );
}
