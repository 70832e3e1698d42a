import { Button, Group, Text } from '@mantine/core';
import { useMutationState } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { reading, type Schemas } from '../api/client';
import { keepArchive, stopArchive, useArchive } from '../api/keep';
import { ProblemNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { bytes } from '../parts/values';
import { eraseKey, Erasure } from './erasure';

type Merchant = Schemas['MerchantOut'];

/** While people are erased, what is left of them is looked at this often, in milliseconds. */
const LOOK = 1_500;

/** What Millrace holds of one merchant: taken along, and people erased from it. */
export function MerchantPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const erasing = useMutationState({ filters: { mutationKey: eraseKey(id), status: 'pending' } });
  const often = { refetchInterval: erasing.length > 0 ? LOOK : (false as const) };
  return (
    <Loaded
      of={{ ...reading('/api/v1/merchants/{merchant}/erasure', { path: { merchant: id } }), ...often }}
      page={{ title: 'Merchant', back: { href: '/merchants', title: 'Merchants' } }}
    >
      {(look) => (
        <Page
          title={look.merchant.name}
          back={{ href: '/merchants', title: 'Merchants' }}
          about="What Millrace holds of this merchant can be taken along as one file, and people can be erased from it."
        >
          <Export merchant={look.merchant} />
          <Erasure look={look} />
        </Page>
      )}
    </Loaded>
  );
}

function Export({ merchant }: { merchant: Merchant }) {
  const archive = useArchive(merchant.id);
  const isComing = archive?.state === 'coming';
  return (
    <Section
      title="Take everything along"
      about="One archive (tar, gzip) of all orders with every attempt, shipments, stock, translation tables and settings. Secrets, the audit trail and people’s accounts are not in it. Customers’ addresses are: keep it as you keep those. That it was exported is in the audit trail."
    >
      {isComing && (
        <Text size="sm" role="status">
          It is being written: {bytes(archive.bytes)} have come so far. You may go to other pages meanwhile; this window must stay open.
        </Text>
      )}
      {archive?.state === 'kept' && (
        <Text size="sm" role="status">
          It is whole, {bytes(archive.bytes)}, and your browser keeps it among its downloads. Its last file, manifest.json, names all others.
        </Text>
      )}
      {archive?.problem && (
        <>
          <ProblemNote error={archive.problem} />
          <Text size="sm">Nothing was kept of what had come.</Text>
        </>
      )}
      <Group gap="xs">
        <Button variant="default" loading={isComing} onClick={() => void keepArchive(merchant.id)}>
          {archive && !isComing ? 'Export everything again' : 'Export everything'}
        </Button>
        {isComing && (
          <Button variant="subtle" onClick={() => stopArchive(merchant.id)}>
            Stop
          </Button>
        )}
      </Group>
    </Section>
  );
}
