import { Text } from '@mantine/core';
import { useState } from 'react';
import { api, done, paging, type Schemas } from '../api/client';
import { Action } from '../parts/act';
import { EmptyNote } from '../parts/notes';
import { Page } from '../parts/page';
import { Section } from '../parts/section';
import { DataTable } from '../parts/table';
import { Code, Time, who } from '../parts/values';
import { Target } from './target';

/** A detail as it is read: texts as they are, lists one after the other, everything else as it was written down. */
const inWords = (value: unknown): string =>
  typeof value === 'string' ? value : Array.isArray(value) ? value.map(inWords).join(', ') : JSON.stringify(value);

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
          { title: 'Number', figure: true, show: (row) => row.number, wide: true, width: 80 },
          { title: 'When', show: (row) => <Time at={row.at} />, width: 135 },
          { title: 'Who', show: (row) => <span title={row.actor}>{who(row.actor)}</span>, width: 150 },
          { title: 'What', show: (row) => row.action, width: 170 },
          { title: 'On what', show: (row) => <Target id={row.target} />, width: 190 },
          {
            title: 'Further',
            wide: true,
            show: (row) => {
              const details = Object.entries(row.detail as Record<string, unknown>)
                .map(([name, value]) => [name.replaceAll('_', ' '), value === null ? '' : inWords(value)])
                .filter(([, value]) => value !== '');
              return (
                details.length > 0 && (
                  <Text size="sm" className="breaks">
                    {details.map(([name, value]) => `${name}: ${value}`).join('; ')}
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
