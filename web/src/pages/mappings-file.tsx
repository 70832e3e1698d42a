import { Alert, Button, Checkbox, Code as Columns, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import type { Schemas } from '../api/client';
import { problemFrom, type Problem } from '../api/problem';
import { useRights } from '../api/session';
import { say, useAct } from '../parts/act';
import { FormDialog } from '../parts/dialog';
import { Diff } from '../parts/diff';
import { Drop } from '../parts/drop';
import { fetching } from '../parts/export';
import { ProblemNote, Waiting } from '../parts/notes';
import { Rows } from '../parts/table';
import { sendTable, type Table } from './mappings-save';

type Choice = Schemas['ChoiceOut'];
type Told = Schemas['ImportedOut'];

/** So many lines of a list are shown; the rest is counted. */
const SHOWN = 50;

interface Form {
  columns: string;
  /** What to know about the lines. */
  about: ReactNode;
  /** What its entries are found by. */
  entry: string;
  /** Where ids of the account stand: for the entry itself, or for what it is mapped to. */
  ids?: 'entry' | 'value';
}

const IDS = "Brightpearl's shipping methods are given by id or by name.";

/** How each table looks as a file: docs/configuration.md has the same. */
const FORMS: Record<Table, Form> = {
  'listings.csv': { columns: 'brightpearl_sku,warehouse_sku', about: 'A line for each SKU.', entry: "Brightpearl's SKU" },
  'kits.csv': {
    columns: 'brightpearl_sku,part_sku,units',
    about: 'A line for each part. A bundle in the file is all of its lines there.',
    entry: 'Bundle',
  },
  'ship_methods.csv': {
    columns: 'brightpearl_method,carrier,service',
    about: `A line for each shipping method; the service may be empty. ${IDS}`,
    entry: 'Shipping method',
    ids: 'entry',
  },
  'source_methods.csv': {
    columns: 'carrier,service,brightpearl_method',
    about: `A line for each carrier and service; an empty service stands for every one. ${IDS}`,
    entry: 'Carrier and service',
    ids: 'value',
  },
  'locations.csv': {
    columns: 'facility,brightpearl_warehouse',
    about: "A line for each facility. Brightpearl's warehouses are given by id or by name.",
    entry: 'Facility',
    ids: 'value',
  },
};

interface Props {
  connection: string;
  table: Table;
  /** What its entries are called within a sentence: `locations`. */
  called: string;
  /** The account's own list, by which ids in the table get their names. */
  choices?: Choice[];
}

/** Takes one translation table along as a CSV file, and takes such a file in. */
export function MappingsFile(props: Props) {
  const { connection, table, called } = props;
  const { decides } = useRights();
  return (
    <>
      <Button
        size="xs"
        variant="default"
        component="a"
        href={`/api/v1/connections/${connection}/mappings/${table}`}
        download={table}
        aria-label={`Export all as CSV: ${called}`}
        onClick={() => fetching(table)}
      >
        Export all as CSV
      </Button>
      {decides && <Import {...props} />}
    </>
  );
}

/** Reads a file as text; null where it is none, or not in the encoding that is wanted. */
async function textOf(file: File): Promise<string | null> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    return null;
  }
}

interface Given {
  name: string;
  /** Null: it could not be read. */
  csv: string | null;
}

/** Reads a CSV file; shows what it would change before anything is. */
function Import({ connection, table, called, choices = [] }: Props) {
  const form = FORMS[table];
  const [opened, dialog] = useDisclosure(false);
  const [given, setGiven] = useState<Given | null>(null);
  const [overwrite, setOverwrite] = useState(false);
  const look = useMutation<Told, Problem, { csv: string; over: boolean }>({
    mutationFn: ({ csv, over }) => sendTable(connection, table, csv, { preview: true, overwrite: over }),
  });
  const keep = useAct(
    (csv: string) => sendTable(connection, table, csv, { preview: false, overwrite }),
    () => {
      say(`The file of ${called} is taken in.`);
      dialog.close();
    },
  );
  const start = () => {
    setGiven(null);
    setOverwrite(false);
    look.reset();
    keep.reset();
    dialog.open();
  };
  const take = async (file: File | null) => {
    if (!file) return;
    const csv = await textOf(file);
    setGiven({ name: file.name, csv });
    look.reset();
    keep.reset();
    if (csv !== null) look.mutate({ csv, over: overwrite });
  };
  const replace = (over: boolean) => {
    setOverwrite(over);
    if (given?.csv) look.mutate({ csv: given.csv, over });
  };
  const error = keep.error ?? look.error;
  const changes = look.data ? changesOf(look.data) : 0;
  return (
    <>
      <Button size="xs" variant="default" onClick={start} aria-label={`Import ${called}`}>
        Import
      </Button>
      <FormDialog
        opened={opened}
        close={dialog.close}
        title={`Import ${called}`}
        size="lg"
        submit={() => {
          if (given?.csv) keep.mutate(given.csv);
        }}
        label={changes > 0 ? `Import ${changes}` : 'Import'}
        busy={keep.isPending}
        disabled={changes === 0 || error !== null}
      >
        <Text size="sm">
          A CSV file with the columns <Columns className="breaks">{form.columns}</Columns>. {form.about} What the file does not name stays as it is.
        </Text>
        <Drop label={`CSV file of ${called}`} accept=".csv,text/csv" take={(file) => void take(file)} />
        <Checkbox
          label="Replace what is mapped differently"
          description="Otherwise it is left as it is."
          checked={overwrite}
          onChange={(event) => replace(event.currentTarget.checked)}
        />
        {given && (
          <Text size="sm" className="breaks">
            <b>{given.name}</b>
          </Text>
        )}
        {given?.csv === null && (
          <Alert color="red" title="The file cannot be read" role="alert">
            It is no text in UTF-8. Save it in the spreadsheet as “CSV UTF-8”, then choose it again.
          </Alert>
        )}
        {look.isPending && <Waiting what="Comparing it" />}
        {error && <Refused error={error} />}
        {look.data && !error && <Preview told={look.data} form={form} choices={choices} />}
      </FormDialog>
    </>
  );
}

const changesOf = (told: Told) => told.added + told.changed.length;

/** `1 is new`, `3 are new`. */
const count = (number: number, what: string) => `${number} ${number === 1 ? 'is' : 'are'} ${what}`;

/** What a file would do. */
function Preview({ told, form, choices }: { told: Told; form: Form; choices: Choice[] }) {
  const { added, same, changed, left } = told;
  const said = [
    count(added, 'new'),
    count(same, 'there already'),
    count(changed.length, 'replaced'),
    count(left.length, left.length === 1 ? 'mapped differently and stays' : 'mapped differently and stay'),
  ].filter((part) => !part.startsWith('0 '));
  return (
    <>
      <Text size="sm" role="status" fw={600}>
        {said.length > 0 ? `${said.join(', ')}.` : 'The file holds no line.'}
      </Text>
      <Entries label="Replaced" rows={changed} form={form} choices={choices} />
      <Entries label="Left as they are" rows={left} stay form={form} choices={choices} />
    </>
  );
}

/** Entries, what each is mapped to, and what the file says. */
function Entries(props: { label: string; rows: string[][]; stay?: boolean; form: Form; choices: Choice[] }) {
  const { label, rows, stay = false, form, choices } = props;
  if (rows.length === 0) return null;
  const named = (text: string, where: 'entry' | 'value') =>
    form.ids === where ? (choices.find((choice) => String(choice.id) === text)?.name ?? text) : text;
  return (
    <div>
      <Text size="sm" fw={600}>
        {label}
      </Text>
      <Rows<string[]>
        label={label}
        rows={rows.slice(0, SHOWN)}
        id={([entry = '']) => entry}
        columns={[
          { title: form.entry, show: ([entry = '']) => named(entry, 'entry') },
          {
            title: 'Mapped to',
            show: ([, before = '', after = '']) => (
              <Diff
                before={named(before, 'value')}
                after={named(after, 'value')}
                words={stay ? ['Now', 'In the file'] : ['Now', 'From now on']}
                stays={stay}
              />
            ),
          },
        ]}
      />
      <More of={rows.length} />
    </div>
  );
}

function More({ of }: { of: number }) {
  if (of <= SHOWN) return null;
  return (
    <Text size="sm" className="quiet">
      And {of - SHOWN} more.
    </Text>
  );
}

/** Why a file is not taken in: every line of it that cannot be used. */
function Refused({ error }: { error: Problem }) {
  const { told } = problemFrom(error);
  const lines = told.problems ?? [];
  if (lines.length === 0) return <ProblemNote error={error} />;
  return (
    <Alert color="red" title="The file cannot be used" role="alert">
      <Stack gap="xs">
        <Rows<Schemas['Problem']>
          label="Lines that cannot be used"
          rows={lines.slice(0, SHOWN)}
          id={(line) => `${line.at} ${line.problem}`}
          columns={[
            { title: 'Where', show: (line) => <span className="nowrap">{line.at}</span> },
            { title: 'What is wrong', show: (line) => line.problem },
          ]}
        />
        <More of={lines.length} />
        <Text size="sm" fw={600}>
          {told.remedy}
        </Text>
      </Stack>
    </Alert>
  );
}
