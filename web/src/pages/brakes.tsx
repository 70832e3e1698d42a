import { NumberInput, SimpleGrid, Text, TextInput } from '@mantine/core';
import type { Schemas } from '../api/client';
import type { Faults } from '../parts/faults';

type Brakes = Schemas['BrakesIn'];

const PERCENTS: { name: 'share_percent' | 'zero_percent' | 'missing_percent'; label: string; description: string; usual: number }[] = [
  { name: 'share_percent', label: 'Products changed, in percent', description: 'More of the compared products: the run asks. From the second run on.', usual: 20 },
  { name: 'zero_percent', label: 'Products counted as zero, in percent', description: 'More of those that Brightpearl has stock of: the count is not believed; of fewer than ten, the run asks.', usual: 50 },
  { name: 'missing_percent', label: 'Products missing, in percent', description: 'More than in the count before: it is not believed. 100 where only changes are sent.', usual: 50 },
];

const UNITS: { name: 'line' | 'run'; label: string; description: string; usual: string }[] = [
  { name: 'line', label: 'Units of one product', description: 'A larger difference is held. 0: no limit.', usual: '1000' },
  { name: 'run', label: 'Units of a whole run', description: 'All differences together, up or down; more: the run asks. 0: no limit.', usual: '10000' },
];

/** The guard over stock: beyond these limits a run asks a person before anything is written. */
export function BrakesForm({ brakes, faults, change }: { brakes: Brakes; faults: Faults; change: (brakes: Brakes) => void }) {
  return (
    <>
      <Text size="sm" fw={600}>
        When a run asks a person first
      </Text>
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        {PERCENTS.map(({ name, label, description, usual }) => (
          <NumberInput
            key={name}
            label={label}
            description={description}
            required
            min={0}
            max={100}
            allowDecimal={false}
            value={brakes[name] ?? usual}
            error={faults.at(name, brakes[name])}
            onChange={(value) => value !== '' && change({ ...brakes, [name]: Number(value) })}
          />
        ))}
        {UNITS.map(({ name, label, description, usual }) => (
          <TextInput
            key={name}
            label={label}
            description={description}
            required
            inputMode="decimal"
            pattern="[0-9]+([.][0-9]+)?"
            value={brakes[name] ?? usual}
            error={faults.at(name, brakes[name])}
            onChange={(event) => change({ ...brakes, [name]: event.currentTarget.value })}
          />
        ))}
        <NumberInput
          label="Oldest count, in minutes"
          description="An older count is not acted upon."
          required
          min={1}
          allowDecimal={false}
          value={brakes.feed_age_minutes ?? 1440}
          error={faults.at('feed_age_minutes', brakes.feed_age_minutes)}
          onChange={(value) => value !== '' && change({ ...brakes, feed_age_minutes: Number(value) })}
        />
      </SimpleGrid>
    </>
  );
}
