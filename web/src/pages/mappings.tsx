import { Button, Group, Pagination, Select, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { choicesOf, useListed, type Listed } from '../api/choices';
import { reading, type Schemas } from '../api/client';
import { useRights } from '../api/session';
import { Action, say, useAct } from '../parts/act';
import { FormDialog } from '../parts/dialog';
import { Diff } from '../parts/diff';
import { ToButton } from '../parts/link';
import { EmptyNote, ProblemNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { Code } from '../parts/values';
import { CodeField, carriersIn, servicesIn } from './code-field';
import { Kits } from './kits';
import { MappingsFile } from './mappings-file';
import { MapSku } from './map-sku';
import { mapSku, useSave } from './mappings-save';

type Mappings = Schemas['MappingsIn'];
type Choice = Schemas['ChoiceOut'];

/** What is called differently on both sides: SKUs, kits, ship methods, locations. */
export function MappingsPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const params = { path: { connection: id } };
  const { data: connection } = useQuery(reading('/api/v1/connections/{connection}', params));
  const { data: choices } = useQuery(choicesOf(id));
  const listed = useListed(connection?.warehouse);
  return (
    <Page
      title="Mappings"
      back={{ href: `/connections/${id}`, title: connection?.name ?? 'Connection' }}
      actions={
        <ToButton href={`/connections/${id}/preflight`} variant="default">
          Pre-flight
        </ToButton>
      }
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
              none="An order with a shipping method that is not mapped is held, unless the settings name one that is sent instead."
              removed="Orders with it are then held, unless the settings name a shipping method that is sent instead."
              part="ship_methods"
              mappings={mappings}
              choices={choices?.ship_methods ?? []}
              listed={listed}
            />
            <Methods
              connection={id}
              title="Carriers back"
              about="The warehouse's carriers, and the shipping method that Brightpearl is told; only where the table above read backwards is not right."
              none="Where none is, the table above is read backwards."
              removed="What leaves with it is then written to Brightpearl by the table above, read backwards."
              part="source_methods"
              mappings={mappings}
              choices={choices?.ship_methods ?? []}
              listed={listed}
            />
            <Locations connection={id} mappings={mappings} choices={choices?.warehouses ?? []} facilities={listed.facilities} />
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
  const [asks, setAsks] = useState(false);
  const save = useAct(
    () => mapSku(connection, from, to),
    () => {
      say('The SKU is mapped.');
      setAsks(false);
      setFrom('');
      setTo('');
    },
  );
  const remove = useSave(connection, 'The SKU is not mapped any more.');
  const kept = listings.find(([sku]) => sku === from.trim())?.[1];
  const wanted = text.toLowerCase();
  const found = listings.filter((pair) => pair.some((sku) => sku.toLowerCase().includes(wanted)));
  const pages = Math.max(1, Math.ceil(found.length / SHOWN));
  const shown = found.slice((Math.min(page, pages) - 1) * SHOWN, Math.min(page, pages) * SHOWN);
  return (
    <Section
      title={`SKUs (${listings.length})`}
      about="Brightpearl's SKU, and the warehouse's."
      actions={<MappingsFile connection={connection} table="listings.csv" called="SKUs" />}
    >
      {listings.length > 0 && (
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
      )}
      {shown.length === 0 ? (
        <NoListing isSearch={text !== ''} />
      ) : (
        <Rows
          label="SKUs"
          rows={shown}
          id={(pair) => pair[0] ?? ''}
          columns={[
            { title: 'Brightpearl', show: (pair) => <Code>{pair[0] ?? ''}</Code> },
            { title: 'Warehouse', show: (pair) => <Code>{pair[1] ?? ''}</Code> },
            ...(decides
              ? [
                  {
                    title: 'Do',
                    show: (pair: string[]) => (
                      <SkuActions
                        key={pair.join(' ')}
                        connection={connection}
                        pair={pair}
                        remove={() => remove.mutateAsync({ listings: listings.filter((one) => one !== pair) })}
                      />
                    ),
                  },
                ]
              : []),
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
            save.reset();
            if (kept === undefined || kept === to.trim()) save.mutate();
            else setAsks(true);
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
      {save.error && !asks && <ProblemNote error={save.error} />}
      <FormDialog
        opened={asks}
        close={() => setAsks(false)}
        title="This SKU is mapped already"
        submit={() => save.mutate()}
        label="Map it anew"
        busy={save.isPending}
        error={save.error}
      >
        <Text size="sm">
          <Diff
            label={from.trim()}
            before={<Code>{kept ?? ''}</Code>}
            after={<Code>{to.trim()}</Code>}
            words={['At the warehouse now', 'From now on']}
          />
        </Text>
      </FormDialog>
    </Section>
  );
}

function NoListing({ isSearch }: { isSearch: boolean }) {
  const { decides } = useRights();
  if (isSearch) return <EmptyNote title="No SKU is mapped so">Search for another part of it, as either side calls it.</EmptyNote>;
  return (
    <EmptyNote title="No SKU is mapped yet">
      Each SKU stands here with what the warehouse calls it, once it is mapped. Until then orders with it are held, or sent with the
      SKU as it is.{' '}
      {decides
        ? "Import a table of two columns, Brightpearl's SKU and the warehouse's, or enter them one by one below."
        : 'Somebody who decides about orders maps them.'}
    </EmptyNote>
  );
}

/** What can be done with one SKU that is mapped. */
function SkuActions({ connection, pair: [from = '', before = ''], remove }: { connection: string; pair: string[]; remove: () => Promise<unknown> }) {
  return (
    <Group gap="xs">
      <MapSku connection={connection} sku={from} before={before} />
      <Action
        size="xs"
        label="Remove"
        about={from}
        danger
        explains="Orders with it are then held, or sent with the SKU as it is: the settings of the connection say which."
        run={remove}
      />
    </Group>
  );
}

interface MethodsProps {
  connection: string;
  title: string;
  about: string;
  /** What it means that nothing is mapped. */
  none: string;
  /** What it means that one is mapped no more. */
  removed: string;
  part: 'ship_methods' | 'source_methods';
  mappings: Mappings;
  choices: Choice[];
  listed: Listed;
}

const wentOf = ({ carrier, service }: Schemas['ShipMethodRow']) => [carrier, service].filter(Boolean).join(' ');

function nameOf(choices: Choice[], ref: Schemas['NameOrId']): string {
  return choices.find((choice) => choice.id === ref || choice.name === ref)?.name ?? String(ref);
}

function Methods({ connection, title, about, none, removed, part, mappings, choices, listed }: MethodsProps) {
  const { decides } = useRights();
  const rows = mappings[part] ?? [];
  const save = useSave(connection, `${title} are kept.`);
  // What it is refused for is said where it was asked, and not below the table as well.
  const remove = useSave(connection, `${title} are kept.`);
  const [source, setSource] = useState<string | null>(null);
  const [carrier, setCarrier] = useState('');
  const [service, setService] = useState('');
  const keep = (next: Schemas['ShipMethodRow'][]) => save.mutate({ [part]: next });
  return (
    <Section
      title={title}
      about={about}
      actions={<MappingsFile connection={connection} table={`${part}.csv`} called={title.toLowerCase()} choices={choices} />}
    >
      {rows.length === 0 && (
        <EmptyNote title="None is mapped">
          {none}
          {decides && ' Each stands here once it is mapped: import a table, or add it below.'}
        </EmptyNote>
      )}
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
                    title: 'Do',
                    show: (row: Schemas['ShipMethodRow']) => (
                      <Action
                        size="xs"
                        label="Remove"
                        about={`${nameOf(choices, row.source)}: ${wentOf(row)}`}
                        danger
                        explains={removed}
                        run={() => remove.mutateAsync({ [part]: rows.filter((one) => one !== row) })}
                      />
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
            <CodeField label="Carrier" required codes={carriersIn(listed)} value={carrier} change={setCarrier} />
            <CodeField label="Service" codes={servicesIn(listed, carrier)} value={service} change={setService} />
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

interface LocationsProps {
  connection: string;
  mappings: Mappings;
  choices: Choice[];
  facilities: string[];
}

function Locations({ connection, mappings, choices, facilities }: LocationsProps) {
  const { decides } = useRights();
  const rows = mappings.locations ?? [];
  const save = useSave(connection, 'Locations are kept.');
  const remove = useSave(connection, 'The location is not mapped any more.');
  const [facility, setFacility] = useState('');
  const [warehouse, setWarehouse] = useState<string | null>(null);
  return (
    <Section
      title="Locations"
      about="The warehouse's facilities, and which Brightpearl warehouse each is."
      actions={<MappingsFile connection={connection} table="locations.csv" called="locations" choices={choices} />}
    >
      {rows.length === 0 && (
        <EmptyNote title="None is mapped">
          All that the warehouse counts and ships belongs to the one Brightpearl warehouse of the settings.
          {decides && ' Where it has several facilities, each stands here once it is mapped: import a table, or add it below.'}
        </EmptyNote>
      )}
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
                    title: 'Do',
                    show: (row: Schemas['LocationRow']) => (
                      <Action
                        size="xs"
                        label="Remove"
                        about={row.facility}
                        danger
                        explains="As long as another facility is mapped, what this one counts is then held. Without any, all of it belongs to the one Brightpearl warehouse of the settings."
                        run={() => remove.mutateAsync({ locations: rows.filter((one) => one !== row) })}
                      />
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
            <CodeField label="Facility" required codes={facilities} value={facility} change={setFacility} />
            <Select
              label="Brightpearl's warehouse"
              required
              // Else the browser does not ask for what is missing.
              searchable
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
