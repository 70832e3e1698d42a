import { Button, Group, Radio, Select, Stack, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, whole, type Schemas } from '../../api/client';
import { useAct } from '../../parts/act';
import { useFaults } from '../../parts/faults';
import { ProblemNote, Waiting } from '../../parts/notes';
import { Section } from '../../parts/section';
import type { Draft } from './draft';

/** How the connection will be called. */
export function BasicStep({ name: before, next }: { name: string; next: (name: string) => Promise<unknown> }) {
  const [name, setName] = useState(before);
  const go = useAct(() => next(name.trim()));
  const faults = useFaults(go.error);
  return (
    <Section title="Basic Information">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          go.mutate();
        }}
      >
        <Stack className="fields">
          <TextInput
            label="Name of the connection"
            description="As you would call it, e.g. the shop's and the warehouse's names."
            required
            maxLength={100}
            value={name}
            error={faults.at('name', name)}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          {go.error && <ProblemNote error={go.error} faults={faults} />}
          <Group justify="flex-end">
            <Button type="submit" loading={go.isPending}>
              Next
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}

interface Props {
  draft: Draft;
  next: (part: Partial<Draft>) => Promise<unknown>;
  back: () => void;
}

/** Whose goods they are. */
export function MerchantStep({ draft, next, back }: Props) {
  const { data: merchants } = useQuery(whole('/api/v1/merchants'));
  if (!merchants) return <Waiting />;
  return <PickMerchant merchants={merchants} draft={draft} next={next} back={back} />;
}

function PickMerchant(props: Props & { merchants: Schemas['MerchantOut'][] }) {
  const { merchants, draft, next, back } = props;
  const [how, setHow] = useState(merchants.length > 0 ? 'existing' : 'new');
  const [chosen, setChosen] = useState<string | null>(draft.merchant || (merchants[0]?.id ?? null));
  const [name, setName] = useState('');
  const go = useAct(async () => {
    const merchant = how === 'existing' ? (chosen ?? '') : (await done(api.POST('/api/v1/merchants', { body: { name: name.trim() } }))).id;
    // What was chosen for another merchant is not this one's.
    await next({ merchant, ...(merchant === draft.merchant ? {} : { warehouse: '', store: '' }) });
  });
  const faults = useFaults(go.error);
  return (
    <Section title="Merchant Information" about="The brand that owns the stock. Two merchants never see each other's orders.">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          go.mutate();
        }}
      >
        <Stack className="fields">
          <Radio.Group value={how} onChange={setHow} label="Which merchant">
            <Group mt="xs" align="flex-start">
              <Radio
                value="existing"
                label="One that is here"
                description={merchants.length === 0 && 'No merchant is here yet.'}
                disabled={merchants.length === 0}
              />
              <Radio value="new" label="A new one" />
            </Group>
          </Radio.Group>
          {how === 'existing' ? (
            <Select
              label="Merchant"
              required
              searchable
              data={merchants.map((one) => ({ value: one.id, label: one.name }))}
              value={chosen}
              onChange={setChosen}
            />
          ) : (
            <TextInput
              label="Name of the merchant"
              required
              value={name}
              error={faults.at('name', name)}
              onChange={(event) => setName(event.currentTarget.value)}
            />
          )}
          {go.error && <ProblemNote error={go.error} faults={faults} />}
          <Group justify="space-between">
            <Button variant="default" onClick={back}>
              Back
            </Button>
            <Button type="submit" loading={go.isPending}>
              Next
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
