import { List, Paper, SimpleGrid, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { api, done, reading, type Schemas } from '../api/client';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { ExportCsv } from '../parts/export';
import { Facts } from '../parts/facts';
import { EmptyNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { Time, words } from '../parts/values';
import { WATCH } from './channel-runs';
import { FindingCard } from './findings';

type Census = Schemas['CensusOut'];
type Run = Schemas['CensusRunOut'];

/** Read again this often, in milliseconds: what others find appears; while one is awaited or runs, its end is seen at once. */
const OFTEN = 5_000;

/** It has begun and neither ended nor failed. */
function runsNow({ started_at: started, finished_at: finished, problem }: Run): boolean {
  return Boolean(started && !problem && (!finished || Date.parse(finished) < Date.parse(started)));
}

/** Where every order is, by a look at both sides that does not ask the rest of the program. */
export function CensusPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const { decides } = useRights();
  const params = { path: { connection: id } };
  const { data: connection } = useQuery(reading('/api/v1/connections/{connection}', params));
  const run = (full: boolean) => done(api.POST('/api/v1/connections/{connection}/census', { params, body: { full } }));
  return (
    <Page
      title="Census"
      back={{ href: `/connections/${id}`, title: connection?.name ?? 'Connection' }}
      about="Every order is looked for on both sides, by a part of the program that does not trust the rest of it."
      actions={
        <>
          <ExportCsv kind="census" filter={{ connection: id }} />
          {decides && (
            <>
              <Action label="Look at what is recent" said="The census begins as soon as nothing else wants to call." run={() => run(false)} />
              <Action label="Look at everything" said="The census begins as soon as nothing else wants to call." run={() => run(true)} />
            </>
          )}
        </>
      }
    >
      <Loaded
        of={{
          ...reading('/api/v1/connections/{connection}/census', params),
          refetchInterval: (query: { state: { data?: Census | undefined } }) =>
            query.state.data?.runs.some((one) => one.wanted_at || runsNow(one)) ? WATCH : OFTEN,
        }}
      >
        {/* One that was cut off as the connection was switched off runs no more. */}
        {(census) => <Shown census={census} isOn={connection?.enabled ?? false} />}
      </Loaded>
    </Page>
  );
}

function Shown({ census, isOn }: { census: Census; isOn: boolean }) {
  const { report } = census;
  return (
    <Stack>
      <Paper withBorder p="md">
        <Text size="sm" className="quiet">
          Unaccounted
        </Text>
        <Text fz={40} fw={700} className="figure" lh={1.1}>
          {census.unaccounted ?? '–'}
        </Text>
        <Text size="sm">
          {census.unaccounted === 0
            ? 'Every order is where somebody can say it is.'
            : census.unaccounted
              ? 'Nobody can say where these orders are; they are listed below.'
              : census.runs.some((run) => isOn && runsNow(run))
                ? 'The first census runs now.'
                : 'The first census has not ended yet.'}
        </Text>
      </Paper>
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        {census.runs.map((run) => (
          <Section
            key={run.extent}
            title={run.extent === 'full' ? 'Of everything' : 'Of what is recent'}
            actions={isOn && runsNow(run) && <StateBadge state="running" label="It runs now" />}
          >
            <Facts
              of={[
                ['Last ended', <Time key="f" at={run.finished_at} none="Not yet" />],
                ['Last begun', <Time key="s" at={run.started_at} none="Not yet" />],
                ['Asked for', run.wanted_at && <Time at={run.wanted_at} />],
                ['It failed', run.problem],
              ]}
            />
            {isOn && runsNow(run) && (
              <Text size="sm" role="status">
                It looks at both sides, behind every other call. What it finds appears here as soon as it has ended; you may go to other
                pages meanwhile.
              </Text>
            )}
          </Section>
        ))}
      </SimpleGrid>
      {report && (
        <Section title={`Where ${report.counted} orders are`} {...(report.warehouse_not_asked ? { about: `The warehouse itself was not asked: ${report.warehouse_not_asked}.` } : {})}>
          <Rows
            label="Where orders are"
            rows={report.buckets.filter((bucket) => bucket.count > 0 || bucket.bucket === 'unaccounted')}
            id={(bucket) => bucket.bucket}
            columns={[
              { title: 'Where', show: (bucket) => words(bucket.bucket) },
              { title: 'Orders', figure: true, show: (bucket) => bucket.count },
              {
                title: 'Why',
                show: (bucket) =>
                  bucket.reasons.length > 0 && (
                    <List size="sm" listStyleType="none">
                      {bucket.reasons.map((reason) => (
                        <List.Item key={reason.why}>
                          {words(reason.why)} ({reason.count})
                        </List.Item>
                      ))}
                    </List>
                  ),
              },
            ]}
          />
          {report.lost.map((lost) => (
            <Text key={`${lost.order} ${lost.note ?? ''}`} size="sm">
              <b>Order {lost.order}:</b> {lost.why}
            </Text>
          ))}
          {report.unchecked?.map((line) => (
            <Text key={line} size="sm" className="quiet">
              Not looked at: {line}
            </Text>
          ))}
        </Section>
      )}
      <Section title="Findings" about="What the comparison showed to be wrong. Nothing is repaired unless a person says so.">
        {census.findings.length === 0 ? (
          <EmptyNote title={report ? 'Nothing wrong was found' : 'Nothing was compared yet'}>
            {report
              ? 'What the next census finds appears here, with what repairs it.'
              : 'The census begins by itself once the connection is on. Each finding appears here, with what repairs it.'}
          </EmptyNote>
        ) : (
          <Stack>
            {census.findings.map((finding) => (
              <FindingCard key={finding.id} finding={finding} />
            ))}
          </Stack>
        )}
      </Section>
    </Stack>
  );
}
