import { Grid, Stack, Text } from '@mantine/core';
import { useParams } from '@tanstack/react-router';
import { reading } from '../api/client';
import { useNames } from '../api/names';
import { StateBadge } from '../parts/badge';
import { Block } from '../parts/block';
import { Facts } from '../parts/facts';
import { To } from '../parts/link';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { pretty, Timeline } from '../parts/timeline';
import { Code, Time, words } from '../parts/values';
import { Explanation } from './explanation';

/** One change to a remote system: what was to be changed, and every attempt at it. */
export function EffectPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const names = useNames();
  return (
    <Loaded
      of={reading('/api/v1/effects/{effect}', { path: { effect: id } })}
      page={{ title: 'Change', back: { href: '/orders', title: 'Orders' } }}
    >
      {(effect) => (
        <Page
          title={effect.title}
          back={effect.order ? { href: `/orders/${effect.order}`, title: 'Its order' } : { href: '/activity', title: 'Activity' }}
          badge={<StateBadge state={effect.state} />}
        >
          <Grid gap="md">
            <Grid.Col span={{ base: 12, md: 8 }}>
              <Stack>
                <Explanation explain={effect.explain} connection={effect.connection} />
                <Section title="Attempts">
                  {effect.attempts.length > 0 ? (
                    <Timeline attempts={effect.attempts} titles={{ [effect.id]: effect.title }} />
                  ) : (
                    <Text size="sm">It has not been tried yet.</Text>
                  )}
                </Section>
                <Section title="What is to be changed">
                  <Block label="What is to be changed">{pretty(effect.body)}</Block>
                </Section>
              </Stack>
            </Grid.Col>
            <Grid.Col span={{ base: 12, md: 4 }}>
              <Section title="About it">
                <Facts
                  of={[
                    ['Kind', words(effect.kind)],
                    ['At', effect.side === 'store' ? 'Brightpearl' : 'the warehouse'],
                    ['Connection', <To key="c" href={`/connections/${effect.connection}`}>{names.connection(effect.connection)}</To>],
                    ['Called there', effect.reference && <Code>{effect.reference}</Code>],
                    ['Own key', <Code key="k">{effect.key}</Code>],
                    ['Tried', effect.attempt === 1 ? 'once' : `${effect.attempt} times`],
                    ['Planned', <Time key="p" at={effect.created_at} />],
                    ['Changed', <Time key="s" at={effect.changed_at} />],
                    ['Looked at again', effect.next_at && <Time at={effect.next_at} />],
                  ]}
                />
              </Section>
            </Grid.Col>
          </Grid>
        </Page>
      )}
    </Loaded>
  );
}
