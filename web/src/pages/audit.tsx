import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, paging, whole, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { Action } from '../parts/act';
import { Diff } from '../parts/diff';
import { ExportCsv } from '../parts/export';
import { FilterBar, beginning, useFilters } from '../parts/filters';
import { To } from '../parts/link';
import { EmptyNote } from '../parts/notes';
import { Page } from '../parts/page';
import { Section } from '../parts/section';
import { DataTable } from '../parts/table';
import { Code, nameOf, Time } from '../parts/values';
import { actionInWords, SUBJECTS } from './audit-words';
import { Target } from './target';

/** Whoever may have done something: people and keys, by the ids that stay theirs. And what else has a name, by its id. */
function useNamed() {
  const { connections, merchants } = useNames();
  const { data: people } = useQuery({ ...whole('/api/v1/people'), staleTime: 60_000 });
  const { data: keys } = useQuery({ ...whole('/api/v1/keys'), staleTime: 60_000 });
  const { data: stores } = useQuery({ ...whole('/api/v1/stores'), staleTime: 60_000 });
  const { data: warehouses } = useQuery({ ...whole('/api/v1/warehouses'), staleTime: 60_000 });
  const all = [...(keys ?? []), ...(stores ?? []), ...(warehouses ?? [])].map(({ id, name }) => ({ value: id, label: name }));
  const emails = (people ?? []).map(({ id, email }) => ({ value: id, label: email }));
  const named = [...emails, ...all, ...connections, ...merchants];
  return {
    actors: [...emails, ...(keys ?? []).map(({ id, name }) => ({ value: id, label: `key ${name}` }))],
    names: new Map(named.map(({ value, label }) => [value, label])),
  };
}

/** A detail as it is read: moments to the second, lists one after the other, what is no text as it was written down. */
function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  return typeof value === 'string' ? value.replace(/(T\d\d:\d\d:\d\d)\.\d+Z$/, '$1Z') : JSON.stringify(value);
}

/** Every part of something, by its name with what it is part of before it: `stock.increases`. */
function partsOf(value: unknown, name = ''): [name: string, value: unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[name, value]];
  return Object.entries(value).flatMap(([part, of]) => partsOf(of, name ? `${name}.${part}` : part));
}

const shown = (value: unknown) => (value === null || value === undefined ? '' : inWords(value));

/** What was changed into what: only the parts that differ. */
function Changed({ before, after }: { before: unknown; after: unknown }) {
  const was = new Map(partsOf(before));
  const is = new Map(partsOf(after));
  const differ = [...new Set([...was.keys(), ...is.keys()])].filter((name) => shown(was.get(name)) !== shown(is.get(name)));
  return differ.map((name) => (
    <Text key={name} size="sm">
      <Diff
        {...(name && { label: name.replaceAll('_', ' ') })}
        before={shown(was.get(name))}
        after={shown(is.get(name))}
        words={['Before', 'After']}
      />
    </Text>
  ));
}

/** What else was written down: changes as such, the rest one after the other. */
function Further({ detail }: { detail: Record<string, unknown> }) {
  const { before, after, ...rest } = detail;
  const isChange = 'before' in detail && 'after' in detail;
  const told = Object.entries(isChange ? rest : detail)
    .map(([name, value]) => [name.replaceAll('_', ' '), shown(value)])
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}: ${value}`)
    .join('; ');
  return (
    <>
      {isChange && <Changed before={before} after={after} />}
      {told && (
        <Text size="sm" className="breaks">
          {told}
        </Text>
      )}
    </>
  );
}

/** Who did what. Each row carries a hash over the one before, so that an altered row shows. */
export function Audit() {
  const [filters] = useFilters();
  const { actors, names } = useNamed();
  const { text, actor, action } = filters;
  const query = {
    actor,
    action: action && `${action}.`,
    target: text,
    from: beginning(filters.from),
    to: beginning(filters.to),
    limit: 50,
  };
  const [checked, setChecked] = useState<Schemas['AuditVerificationOut'] | null>(null);
  return (
    <Page
      title="Audit"
      about={
        <>
          Who did what, newest first. Rows are chained by their hashes: one that was altered or taken out shows. What the program did is
          under <To href="/activity" underline="always">Activity</To>.
        </>
      }
      actions={
        <>
          <ExportCsv kind="audit" />
          <Action
            label="Verify the chain"
            run={async () => setChecked(await done(api.GET('/api/v1/audit/verification')))}
          />
        </>
      }
    >
      {checked && (
        <Section title={checked.whole ? 'Every row is as it was written' : 'The trail was altered'}>
          {checked.trails.map((trail) => (
            <Text key={trail.of} size="sm" className="breaks" role="status">
              <b>{trail.of}:</b> {trail.rows} rows,{' '}
              {trail.whole ? 'whole' : `altered from number ${trail.altered ?? '?'} on`}. Last hash <Code>{trail.head}</Code>
            </Text>
          ))}
        </Section>
      )}
      <FilterBar
        list="audit"
        search="On what: its id"
        fields={[
          { name: 'actor', label: 'Who', choices: actors },
          { name: 'action', label: 'What', choices: Object.entries(SUBJECTS).map(([value, label]) => ({ value, label })) },
          { name: 'from', label: 'From' },
          { name: 'to', label: 'Before' },
        ]}
      />
      <DataTable<Schemas['AuditOut']>
        of={paging('/api/v1/audit', { query })}
        label="Audit trail"
        id={(row) => String(row.number)}
        columns={[
          { title: 'Number', figure: true, show: (row) => row.number, wide: true },
          { title: 'When', show: (row) => <Time at={row.at} /> },
          { title: 'Who', show: (row) => <span className="breaks" title={row.actor}>{nameOf(row.actor)}</span>, width: 170 },
          { title: 'What', show: (row) => <span title={row.action}>{actionInWords(row.action)}</span> },
          { title: 'On what', show: (row) => <Target id={row.target} name={names.get(row.target)} /> },
          {
            title: 'Further',
            show: (row) => Object.keys(row.detail as object).length > 0 && <Further detail={row.detail as Record<string, unknown>} />,
          },
        ]}
        empty={
          Object.keys(filters).length > 0 ? (
            <EmptyNote title="Nobody did anything like this">Take a filter away, or search for something else.</EmptyNote>
          ) : (
            <EmptyNote title="Nothing is here">Whatever people, keys and the program change is written down here.</EmptyNote>
          )
        }
      />
    </Page>
  );
}
