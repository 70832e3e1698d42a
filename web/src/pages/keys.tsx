import { Button, NumberInput, Select, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, paging, reading, whole, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { Action, useAct } from '../parts/act';
import { FormDialog } from '../parts/dialog';
import { useFaults } from '../parts/faults';
import { EmptyNote } from '../parts/notes';
import { Page } from '../parts/page';
import { DataTable } from '../parts/table';
import { Time } from '../parts/values';
import { scopeWords, ScopesInput } from './key-scopes';
import { Once } from './secret';

const ROLES: { value: Schemas['Role']; label: string }[] = [
  { value: 'read', label: 'Look' },
  { value: 'staff', label: 'Look and decide' },
  { value: 'admin', label: 'Everything' },
];

/** No role: the key opens what lies there for one warehouse that calls Millrace, and nothing else. */
const DESK = 'warehouse';
const KINDS = [...ROLES, { value: DESK, label: 'Collect requests as a warehouse, and post what it ships and counts' }] as const;
type Kind = (typeof KINDS)[number]['value'];

/** The warehouses there are, by name and platform. */
function useWarehouses() {
  const { data: all } = useQuery({ ...whole('/api/v1/warehouses'), staleTime: 60_000 });
  const { data: platforms } = useQuery({ ...reading('/api/v1/platforms'), staleTime: Infinity });
  return (all ?? []).map(({ id, name, platform }) => ({
    value: id,
    name,
    label: `${name} · ${platforms?.find((one) => one.name === platform)?.title ?? platform}`,
  }));
}

/** Keys for programs. */
export function Keys() {
  const names = useNames();
  const warehouses = useWarehouses();
  const [made, setMade] = useState<string | null>(null);
  const may = (key: Schemas['KeyOut']) =>
    key.warehouse
      ? `What ${warehouses.find(({ value }) => value === key.warehouse)?.name ?? 'one warehouse'} does`
      : (ROLES.find((role) => role.value === key.role)?.label ?? key.role);
  return (
    <Page title="Keys" about="Programs send a key with every request. People sign in instead." actions={<NewKey made={setMade} />}>
      {made && <Once title="The new key" secret={made} />}
      <DataTable<Schemas['KeyOut']>
        of={paging('/api/v1/keys', { query: { limit: 50 } })}
        label="API keys"
        id={(key) => key.id}
        columns={[
          { title: 'For', show: (key) => key.name },
          { title: 'May', show: may },
          { title: 'Parts', show: (key) => (key.warehouse ? 'Its own requests' : scopeWords(key.scopes)) },
          { title: 'Merchant', show: (key) => names.merchant(key.merchant) || (key.installation ? 'The installation' : 'All') },
          { title: 'Last used', show: (key) => <Time at={key.last_used_at} none="Never" /> },
          { title: 'Ends', show: (key) => <Time at={key.expires_at} none="Not by itself" /> },
          {
            title: 'Do',
            show: (key) =>
              key.revoked_at ? (
                <>
                  Revoked <Time at={key.revoked_at} />
                </>
              ) : (
                <Action
                  size="xs"
                  label="Revoke"
                  about={key.name}
                  danger
                  explains={`Programs that use “${key.name}” are refused from now on. This cannot be taken back.`}
                  run={() => done(api.DELETE('/api/v1/keys/{key}', { params: { path: { key: key.id } } }))}
                />
              ),
          },
        ]}
        empty={<EmptyNote title="No key yet">Programs that use the API need one each, so that one can be taken away alone.</EmptyNote>}
      />
    </Page>
  );
}

function NewKey({ made }: { made: (key: string) => void }) {
  const names = useNames();
  const [opened, setOpened] = useState(false);
  const [name, setName] = useState('');
  const warehouses = useWarehouses();
  const [kind, setKind] = useState<Kind>('read');
  const [scopes, setScopes] = useState<string[]>([]);
  const [merchant, setMerchant] = useState<string | null>(null);
  const [warehouse, setWarehouse] = useState<string | null>(null);
  const [days, setDays] = useState<string | number>('');
  const make = useAct(
    () => {
      const body = { name: name.trim(), ...(days === '' ? {} : { days: Number(days) }) };
      if (kind !== DESK) return done(api.POST('/api/v1/keys', { body: { ...body, role: kind, scopes, ...(merchant ? { merchant } : {}) } }));
      return done(api.POST('/api/v1/warehouses/{warehouse}/keys', { params: { path: { warehouse: warehouse ?? '' } }, body }));
    },
    (answer) => {
      setOpened(false);
      made(answer.key);
    },
  );
  const faults = useFaults(make.error);
  return (
    <>
      <Button onClick={() => setOpened(true)}>Make a key</Button>
      <FormDialog
        opened={opened}
        close={() => setOpened(false)}
        title="Make a key"
        starred
        submit={() => make.mutate()}
        label="Make it"
        busy={make.isPending}
        error={make.error}
        faults={faults}
      >
        <TextInput
          label="What it is for"
          required
          value={name}
          error={faults.at('name', name)}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
        <Select
          label="What it may do"
          data={KINDS}
          value={kind}
          allowDeselect={false}
          onChange={(value) => {
            setKind(KINDS.find((one) => one.value === value)?.value ?? 'read');
            setScopes([]);
            make.reset();
          }}
        />
        {kind === DESK ? (
          <Select
            label="As this warehouse"
            description="One whose system calls Millrace. The key opens nothing else: no order, no setting, no other warehouse."
            required
            data={warehouses}
            value={warehouse}
            onChange={setWarehouse}
          />
        ) : (
          <>
            <ScopesInput looksOnly={kind === 'read'} value={scopes} change={setScopes} />
            <Select
              label="Only for this merchant"
              clearable
              placeholder="All"
              data={names.merchants}
              value={merchant}
              error={faults.at('merchant', merchant)}
              onChange={setMerchant}
              clearButtonProps={{ 'aria-label': 'All merchants' }}
            />
          </>
        )}
        <NumberInput
          label="Days until it ends"
          description="Empty: it does not end by itself."
          min={1}
          max={3650}
          allowDecimal={false}
          value={days}
          error={faults.at('days', days)}
          onChange={setDays}
        />
      </FormDialog>
    </>
  );
}
