import { Text } from '@mantine/core';
import { useState } from 'react';
import { api, done, paging, type Schemas } from '../api/client';
import { Action } from '../parts/act';
import { EmptyNote } from '../parts/notes';
import { Page } from '../parts/page';
import { Section } from '../parts/section';
import { DataTable } from '../parts/table';
import { Code, shortened, Time, who } from '../parts/values';
import { Target } from './target';

/** A detail as it is read: moments to the second, lists one after the other, what is no text as it was written down. */
function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  return typeof value === 'string' ? value.replace(/(T\d\d:\d\d:\d\d)\.\d+Z$/, '$1Z') : JSON.stringify(value);
}

/** Who did what. Each row carries a hash over the one before, so that an altered row shows. */
export function Audit() {
  const [checked, setChecked] = useState<Schemas['AuditVerificationOut'] | null>(null);
  return (
    <Page
      title="Audit"
      about="Who did what, newest first. Rows are chained by their hashes: one that was altered or taken out shows."
      actions={
        <Action
          label="Verify the chain"
          run={async () => setChecked(await done(api.GET('/api/v1/audit/verification')))}
        />
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
      <DataTable<Schemas['AuditOut']>
        of={paging('/api/v1/audit', { query: { limit: 50 } })}
        label="Audit trail"
        id={(row) => String(row.number)}
        columns={[
          { title: 'Number', figure: true, show: (row) => row.number, wide: true },
          { title: 'When', show: (row) => <Time at={row.at} /> },
          { title: 'Who', show: (row) => <span title={row.actor}>{who(row.actor)}</span> },
          { title: 'What', show: (row) => row.action },
          { title: 'On what', show: (row) => <Target id={row.target} /> },
          {
            title: 'Further',
            wide: true,
            show: (row) => {
              const details = Object.entries(row.detail as Record<string, unknown>)
                .map(([name, value]) => [name.replaceAll('_', ' '), value === null ? '' : inWords(value)])
                .filter(([, value]) => value !== '');
              const told = details.map(([name, value]) => `${name}: ${value}`).join('; ');
              return (
                told && (
                  <Text size="sm" className="breaks" title={told}>
                    {shortened(told)}
                  </Text>
                )
              );
            },
          },
        ]}
        empty={<EmptyNote title="Nothing is here">Whatever people, keys and the program change is written down here.</EmptyNote>}
      />
    </Page>
  );
}
