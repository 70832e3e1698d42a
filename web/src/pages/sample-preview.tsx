import { Alert, Button, Code, Group, List, Radio, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, type Schemas } from '../api/client';
import type { Problem } from '../api/problem';
import { Drop } from '../parts/drop';
import { given, type Field, type Values } from '../parts/fields';
import { ProblemNote, Waiting } from '../parts/notes';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { bytes } from '../parts/values';

type Holds = Schemas['SampleHolds'];
type Shown = Schemas['PreviewOut'];
type Row = Schemas['PreviewRowOut'];

/** So much of a file is looked at, in bytes: the program takes a megabyte, in a form that is a third longer. */
const LOOKED_AT = 512 * 1024;
/** So many lines of a list are shown at first. */
const AT_FIRST = 10;

/** What a person gave to look at. */
interface Sample {
  /** Tells it from the one before, without comparing them. */
  stamp: number;
  name: string;
  isPasted: boolean;
  content: Uint8Array;
  isCut: boolean;
}

interface Props {
  platform: string;
  fields: Field[];
  /** As they are entered now. */
  values: Values;
}

function inBase64(content: Uint8Array): string {
  let text = '';
  for (const byte of content) text += String.fromCharCode(byte);
  return btoa(text);
}

/** The start of a file, up to the end of a line. */
function start(content: Uint8Array): Uint8Array {
  const part = content.subarray(0, LOOKED_AT);
  return part.subarray(0, part.lastIndexOf(10) + 1);
}

let stamps = 0;

function sampleOf(name: string, isPasted: boolean, content: Uint8Array): Sample {
  const isCut = content.length > LOOKED_AT;
  stamps += 1;
  return { stamp: stamps, name, isPasted, content: isCut ? start(content) : content, isCut };
}

/**
 * Shows a warehouse's file as it would be read with the settings that are being entered, and an order as it would be written. It
 * follows the settings while they are typed. Nothing is kept.
 */
export function SamplePreview({ platform, fields, values }: Props) {
  const [holds, setHolds] = useState<Holds>('shipments');
  const [pasted, setPasted] = useState('');
  const [sample, setSample] = useState<Sample | null>(null);
  const { settings } = given(fields, values);
  // What is pasted has come through the browser, whatever the warehouse writes its files in.
  if (sample?.isPasted && fields.some((field) => field.name === 'encoding')) settings.encoding = 'utf-8';
  const [asked] = useDebouncedValue(JSON.stringify({ platform, settings, holds, name: sample?.name ?? '' }), 400);
  const query = useQuery<Shown, Problem>({
    queryKey: ['preview', sample?.stamp, asked],
    queryFn: () => {
      const body = JSON.parse(asked) as Omit<Schemas['PreviewIn'], 'content_base64'>;
      return done(api.POST('/api/v1/warehouses/preview', { body: { ...body, content_base64: inBase64(sample?.content ?? new Uint8Array()) } }));
    },
    enabled: sample !== null,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 0,
  });
  const take = async (file: File | null) => {
    if (!file) return;
    const content = new Uint8Array(await file.arrayBuffer());
    setPasted('');
    setSample(sampleOf(file.name, false, content));
  };
  const paste = (text: string) => {
    setPasted(text);
    setSample(text.trim() === '' ? null : sampleOf('pasted', true, new TextEncoder().encode(text.endsWith('\n') ? text : `${text}\n`)));
  };
  return (
    <Section
      title="Try the columns on a sample file"
      about="Shows how Millrace reads a file of this warehouse with the settings above, while you enter them, and how it would write an order. Nothing is sent or kept."
    >
      <Radio.Group value={holds} onChange={(value) => setHolds(value === 'stock' ? 'stock' : 'shipments')} label="What the file holds">
        <Group mt="xs">
          <Radio value="shipments" label="Shipments: what has left" />
          <Radio value="stock" label="Stock: what is there" />
        </Group>
      </Radio.Group>
      <Drop label="Sample file" take={(file) => void take(file)} />
      {sample && !sample.isPasted ? (
        <Group align="flex-end">
          <TextInput
            label="Name of the file"
            description={`${bytes(sample.content.length)}${sample.isCut ? ' of its beginning are looked at' : ''}. Its name decides what it is taken for.`}
            value={sample.name}
            onChange={(event) => setSample({ ...sample, name: event.currentTarget.value })}
          />
          <Button variant="default" onClick={() => setSample(null)}>
            Take it away
          </Button>
        </Group>
      ) : (
        <Textarea
          label="Or paste some lines of one"
          description="With the line of titles, where it has one."
          autosize
          minRows={3}
          maxRows={8}
          spellCheck={false}
          value={pasted}
          onChange={(event) => paste(event.currentTarget.value)}
        />
      )}
      {query.error && <ProblemNote error={query.error} />}
      {query.isLoading && <Waiting what="Reading it" />}
      {sample && query.data && !query.error && <Read shown={query.data} named={!sample.isPasted} holds={holds} />}
    </Section>
  );
}

function Lines({ of }: { of: string[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? of : of.slice(0, AT_FIRST);
  return (
    <Stack gap="xs" align="flex-start">
      <List size="sm">
        {shown.map((line, place) => (
          // Two lines may say the same.
          <List.Item key={`${place} ${line}`} className="breaks">
            {line.replace(/(\d\d:\d\d:\d\d)\.\d+Z/, '$1Z')}
          </List.Item>
        ))}
      </List>
      {shown.length < of.length && (
        <Button size="xs" variant="default" onClick={() => setAll(true)}>
          And {of.length - shown.length} more
        </Button>
      )}
    </Stack>
  );
}

/** What a sample is read as. */
function Read({ shown, named, holds }: { shown: Shown; named: boolean; holds: Holds }) {
  const fields = [...new Set(shown.rows.flatMap((row) => Object.keys(row.fields)))];
  const nothing = shown.found.length === 0;
  return (
    <Stack role="group" aria-label="How it is read">
      {named && !shown.name_fits && (
        <Alert color="yellow" title="A file of this name would be left alone">
          Its name is none of those that the settings give for {holds === 'stock' ? 'stock' : 'shipment'} files. Change the names in the
          settings, or the kind of the file here.
        </Alert>
      )}
      {shown.problems.length > 0 && (
        <Alert
          color="red"
          title={nothing ? 'The whole file would be set aside' : 'This would be set aside, and the rest used'}
          role="status"
        >
          <Lines of={shown.problems} />
        </Alert>
      )}
      {!nothing && (
        <Alert color="teal" title="What it comes to" role="status">
          <Lines of={shown.found} />
        </Alert>
      )}
      {shown.titles.length > 0 && (
        <Text size="sm" className="breaks">
          <b>{shown.rows.length > 0 ? 'Its columns' : 'Its first row'}:</b> {shown.titles.join(' · ')}
        </Text>
      )}
      {shown.rows.length > 0 && (
        <div className="sideways" tabIndex={0} role="region" aria-label="Its rows">
          <Rows<Row>
            label="Rows of the sample"
            rows={shown.rows}
            id={(row) => String(row.line)}
            columns={[
              { title: 'Line', figure: true, show: (row) => row.line },
              ...(shown.rows.some((row) => row.problem)
                ? [{ title: 'What is wrong', show: (row: Row) => row.problem && <b>{row.problem}</b> }]
                : []),
              // Called as the settings above call them.
              ...fields.map((field) => ({ title: field, show: (row: Row) => row.fields[field] ?? '' })),
            ]}
          />
        </div>
      )}
      {shown.more_rows > 0 && (
        <Text size="sm" className="quiet">
          And {shown.more_rows} more rows.
        </Text>
      )}
      <div>
        <Text size="sm" fw={600}>
          An order, as the warehouse would get it
        </Text>
        <Code block tabIndex={0} role="region" aria-label="An order as it would be written">
          {shown.order}
        </Code>
      </div>
    </Stack>
  );
}
