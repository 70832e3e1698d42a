import { Button, Checkbox, FileButton, Group, List, Modal, Pagination, Select, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { reading, type Schemas } from '../api/client';
import type { Problem } from '../api/problem';
import { useRights } from '../api/session';
import { say, useAct } from '../parts/act';
import { EmptyNote, ProblemNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { Code } from '../parts/values';
import { Kits } from './kits';
import { listing, sendListings, useSave } from './mappings-save';

type Mappings = Schemas['MappingsIn'];
type Choice = Schemas['ChoiceOut'];

/** What is called differently on both sides: SKUs, kits, ship methods, locations. */
export function MappingsPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const params = { path: { connection: id } };
  const { data: connection } = useQuery(reading('/api/v1/connections/{connection}', params));
  const { data: choices } = useQuery({
    ...reading('/api/v1/connections/{connection}/choices', params),
    staleTime: 300_000,
  });
  return (
    <Page
      title="Mappings"
      back={{ href: `/connections/${id}`, title: connection?.name ?? 'Connection' }}
      about="What Brightpearl and the warehouse call differently. A change holds for what is sent from then on; held orders are looked at again."
    >
      <Loaded of={reading('/api/v1/connections/{connection}/mappings', params)}>
        {(mappings) => (
          <Stack>
            <Listings connection={id} listings={mappings.listings ?? []} />
            <Methods
              connection={id}
              title="Ship methods"
              about="Brightpearl's shipping methods, and the carrier and service that the warehouse is asked for."
              part="ship_methods"
              mappings={mappings}
              choices={choices?.ship_methods ?? []}
            />
            <Methods
              connection={id}
              title="Carriers back"
              about="The warehouse's carriers, and the shipping method that Brightpearl is told; only where the table above read backwards is not right."
              part="source_methods"
              mappings={mappings}
              choices={choices?.ship_methods ?? []}
            />
            <Locations connection={id} mappings={mappings} choices={choices?.warehouses ?? []} />
            <Kits connection={id} kits={mappings.kits ?? []} />
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

const SHOWN = 20;

function Listings({ connection, listings }: { connection: string; listings: string[][] }) {
  const { decides } = useRights();
  const [text, setText] = useState('');
  const [page, setPage] = useState(1);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  // One line of a file: a large table is not sent back whole for it.
  const save = useAct(
    () => sendListings(connection, listing(from, to), { preview: false, overwrite: true }),
    () => {
      say('The SKU is mapped.');
      setFrom('');
      setTo('');
    },
  );
  const wanted = text.toLowerCase();
  const found = listings.filter((pair) => pair.some((sku) => sku.toLowerCase().includes(wanted)));
  const pages = Math.max(1, Math.ceil(found.length / SHOWN));
  const shown = found.slice((Math.min(page, pages) - 1) * SHOWN, Math.min(page, pages) * SHOWN);
  return (
    <Section
      title={`SKUs (${listings.length})`}
      about="Brightpearl's SKU, and the warehouse's."
      actions={
        <>
          <Button
            size="xs"
            variant="default"
            component="a"
            href={`/api/v1/connections/${connection}/mappings/listings.csv`}
            download="listings.csv"
          >
            Export
          </Button>
          {decides && <Import connection={connection} />}
        </>
      }
    >
      <TextInput
        label="Search"
        placeholder="Part of a SKU"
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setPage(1);
        }}
        maw={300}
      />
      {shown.length === 0 ? (
        <EmptyNote title="No SKU is mapped so">Orders with SKUs that are not mapped are held, or sent as they are.</EmptyNote>
      ) : (
        <Rows
          label="SKUs"
          rows={shown}
          id={(pair) => pair[0] ?? ''}
          columns={[
            { title: 'Brightpearl', show: (pair) => <Code>{pair[0] ?? ''}</Code> },
            { title: 'Warehouse', show: (pair) => <Code>{pair[1] ?? ''}</Code> },
          ]}
        />
      )}
      {pages > 1 && (
        <Pagination
          total={pages}
          value={Math.min(page, pages)}
          onChange={setPage}
          size="sm"
          getControlProps={(control) => ({ 'aria-label': `${control} page` })}
        />
      )}
      {decides && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            save.mutate();
          }}
        >
          <Group align="flex-end" gap="xs">
            <TextInput label="Brightpearl's SKU" required value={from} onChange={(event) => setFrom(event.currentTarget.value)} />
            <TextInput label="Warehouse's SKU" required value={to} onChange={(event) => setTo(event.currentTarget.value)} />
            <Button type="submit" variant="default" loading={save.isPending}>
              Map it
            </Button>
          </Group>
        </form>
      )}
      {save.error && <ProblemNote error={save.error} />}
    </Section>
  );
}

/** Reads a CSV file; shows what it would change before anything is. */
function Import({ connection }: { connection: string }) {
  const [csv, setCsv] = useState<string | null>(null);
  const [overwrite, setOverwrite] = useState(false);
  const look = useMutation<Schemas['ImportedOut'], Problem, { body: string; over: boolean }>({
    mutationFn: ({ body, over }) => sendListings(connection, body, { preview: true, overwrite: over }),
  });
  const keep = useAct(
    () => sendListings(connection, csv ?? '', { preview: false, overwrite }),
    () => {
      say('The SKUs are imported.');
      setCsv(null);
    },
  );
  const read = async (file: File | null) => {
    if (!file) return;
    const body = await file.text();
    setCsv(body);
    look.mutate({ body, over: overwrite });
  };
  return (
    <>
      <FileButton accept=".csv,text/csv" onChange={(file) => void read(file)} inputProps={{ 'aria-label': 'CSV file with SKUs' }}>
        {(props) => (
          <Button size="xs" variant="default" {...props}>
            Import
          </Button>
        )}
      </FileButton>
      <Modal opened={csv !== null} onClose={() => setCsv(null)} title="Import SKUs" centered>
        <Stack>
          <Checkbox
            label="Replace what is mapped differently"
            checked={overwrite}
            onChange={(event) => {
              setOverwrite(event.currentTarget.checked);
              look.mutate({ body: csv ?? '', over: event.currentTarget.checked });
            }}
          />
          {look.error && <ProblemNote error={look.error} />}
          {keep.error && <ProblemNote error={keep.error} />}
          {look.data && (
            <List size="sm">
              <List.Item>{look.data.added} are new</List.Item>
              <List.Item>{look.data.same} are there already</List.Item>
              <List.Item>{look.data.changed.length} change</List.Item>
              <List.Item>{look.data.left.length} are mapped differently and stay</List.Item>
            </List>
          )}
          <Group justify="flex-end">
            <Button disabled={!look.data} loading={keep.isPending} onClick={() => keep.mutate()}>
              Import
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

interface MethodsProps {
  connection: string;
  title: string;
  about: string;
  part: 'ship_methods' | 'source_methods';
  mappings: Mappings;
  choices: Choice[];
}

function nameOf(choices: Choice[], ref: Schemas['NameOrId']): string {
  return choices.find((choice) => choice.id === ref || choice.name === ref)?.name ?? String(ref);
}

function Methods({ connection, title, about, part, mappings, choices }: MethodsProps) {
  const { decides } = useRights();
  const rows = mappings[part] ?? [];
  const save = useSave(connection, `${title} are kept.`);
  const [source, setSource] = useState<string | null>(null);
  const [carrier, setCarrier] = useState('');
  const [service, setService] = useState('');
  const keep = (next: Schemas['ShipMethodRow'][]) => save.mutate({ [part]: next });
  return (
    <Section title={title} about={about}>
      {rows.length > 0 && (
        <Rows
          label={title}
          rows={rows}
          id={(row) => `${row.source} ${row.carrier} ${row.service ?? ''}`}
          columns={[
            { title: 'Brightpearl', show: (row) => nameOf(choices, row.source) },
            { title: 'Carrier', show: (row) => <Code>{row.carrier}</Code> },
            { title: 'Service', show: (row) => (row.service ? <Code>{row.service}</Code> : 'Every one') },
            ...(decides
              ? [
                  {
                    title: 'Remove',
                    show: (row: Schemas['ShipMethodRow']) => (
                      <Button size="xs" variant="default" onClick={() => keep(rows.filter((one) => one !== row))}>
                        Remove
                      </Button>
                    ),
                  },
                ]
              : []),
          ]}
        />
      )}
      {decides && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (source) keep([...rows, { source: Number(source), carrier: carrier.trim(), service: service.trim() }]);
          }}
        >
          <Group align="flex-end" gap="xs">
            <Select
              label="Brightpearl's shipping method"
              required
              searchable
              data={choices.map((choice) => ({ value: String(choice.id), label: choice.name }))}
              value={source}
              onChange={setSource}
            />
            <TextInput label="Carrier" required value={carrier} onChange={(event) => setCarrier(event.currentTarget.value)} />
            <TextInput label="Service" value={service} onChange={(event) => setService(event.currentTarget.value)} />
            <Button type="submit" variant="default" loading={save.isPending}>
              Add
            </Button>
          </Group>
        </form>
      )}
      {save.error && <ProblemNote error={save.error} />}
    </Section>
  );
}

function Locations({ connection, mappings, choices }: { connection: string; mappings: Mappings; choices: Choice[] }) {
  const { decides } = useRights();
  const rows = mappings.locations ?? [];
  const save = useSave(connection, 'Locations are kept.');
  const [facility, setFacility] = useState('');
  const [warehouse, setWarehouse] = useState<string | null>(null);
  return (
    <Section title="Locations" about="The warehouse's facilities, and which Brightpearl warehouse each is.">
      {rows.length > 0 && (
        <Rows
          label="Locations"
          rows={rows}
          id={(row) => row.facility}
          columns={[
            { title: 'Facility', show: (row) => <Code>{row.facility}</Code> },
            { title: 'Brightpearl', show: (row) => nameOf(choices, row.warehouse) },
            ...(decides
              ? [
                  {
                    title: 'Remove',
                    show: (row: Schemas['LocationRow']) => (
                      <Button
                        size="xs"
                        variant="default"
                        onClick={() => save.mutate({ locations: rows.filter((one) => one !== row) })}
                      >
                        Remove
                      </Button>
                    ),
                  },
                ]
              : []),
          ]}
        />
      )}
      {decides && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (warehouse) {
              save.mutate({ locations: [...rows, { facility: facility.trim(), warehouse: Number(warehouse) }] });
            }
          }}
        >
          <Group align="flex-end" gap="xs">
            <TextInput label="Facility" required value={facility} onChange={(event) => setFacility(event.currentTarget.value)} />
            <Select
              label="Brightpearl's warehouse"
              required
              data={choices.map((choice) => ({ value: String(choice.id), label: choice.name }))}
              value={warehouse}
              onChange={setWarehouse}
            />
            <Button type="submit" variant="default" loading={save.isPending}>
              Add
            </Button>
          </Group>
        </form>
      )}
      {save.error && <ProblemNote error={save.error} />}
    </Section>
  );
}
