import { NumberInput, Select, SimpleGrid, Switch } from '@mantine/core';
import type { Schemas } from '../api/client';
import { Section } from '../parts/section';
import { BrakesForm } from './brakes';
import type { PartProps } from './settings-part';

/** How the warehouse's count corrects Brightpearl. */
export function StockForm({ settings, faults, set: change }: PartProps) {
  const stock = settings.stock ?? {};
  const set = (part: Partial<Schemas['StockSettingsIn']>) => change({ stock: { ...stock, ...part } });
  return (
    <Section title="Stock" about="How the warehouse's count corrects Brightpearl. The channel has a switch of its own.">
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <Select
          label="What the warehouse's figures mean"
          description="Ask the warehouse if you do not know: a wrong choice counts open orders twice."
          data={[
            { value: 'physical', label: 'Everything on the shelf' },
            { value: 'available', label: 'What is still free' },
          ]}
          value={stock.basis ?? 'available'}
          error={faults.at('basis', stock.basis)}
          allowDeselect={false}
          onChange={(value) => set({ basis: value ?? 'available' })}
        />
        <Select
          label="Where the warehouse counts more"
          description="Must be chosen before stock can be switched on."
          placeholder="Pick one"
          data={[
            { value: 'hold', label: 'Hold it for a person' },
            { value: 'correct', label: 'Correct Brightpearl' },
          ]}
          value={stock.increases ?? null}
          error={faults.at('increases', stock.increases)}
          onChange={(value) => set({ increases: value })}
        />
        <Select
          label="The first run"
          description="Shown to you before anything is written, or not."
          data={[
            { value: 'ask', label: 'Show it and wait' },
            { value: 'approve', label: 'Let it go ahead' },
          ]}
          value={stock.first_run ?? 'ask'}
          error={faults.at('first_run', stock.first_run)}
          allowDeselect={false}
          onChange={(value) => set({ first_run: value ?? 'ask' })}
        />
        <NumberInput
          label="Products of one correction"
          description="So many are corrected with one call; a refused one is tried again in halves."
          required
          min={1}
          max={500}
          allowDecimal={false}
          value={stock.batch ?? 100}
          error={faults.at('batch', stock.batch)}
          onChange={(value) => value !== '' && set({ batch: Number(value) })}
        />
        <NumberInput
          label="Seconds around a count"
          description="A product with work of its own so close to the count waits for the next one."
          required
          min={0}
          allowDecimal={false}
          value={stock.settle_seconds ?? 30}
          error={faults.at('settle_seconds', stock.settle_seconds)}
          onChange={(value) => value !== '' && set({ settle_seconds: Number(value) })}
        />
      </SimpleGrid>
      <Switch
        label="Stock may be added to archived products"
        description="Brightpearl then brings them back to life."
        checked={stock.revive_archived ?? false}
        error={faults.at('revive_archived', stock.revive_archived)}
        onChange={(event) => set({ revive_archived: event.currentTarget.checked })}
      />
      <Switch
        label="Two people approve stock"
        description="A run that waits, and lines that were held: one person’s yes is written down, another’s decides. Both sign in here; API keys and the command line are refused. Dropping a run and taking one back take one person."
        checked={stock.two_people ?? false}
        error={faults.at('two_people', stock.two_people)}
        onChange={(event) => set({ two_people: event.currentTarget.checked })}
      />
      <BrakesForm brakes={stock.brakes ?? {}} faults={faults} change={(brakes) => set({ brakes })} />
    </Section>
  );
}
