import { NumberInput, SimpleGrid, TextInput } from '@mantine/core';
import { Section } from '../parts/section';
import type { Settings } from './settings-form';

interface Props {
  settings: Settings;
  change: (part: Partial<Settings>) => void;
}

/** What a cancel waits for, and what orders are called at the warehouse. */
export function CancelsAndKeys({ settings, change }: Props) {
  return (
    <Section title="Cancels and names">
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        <NumberInput
          label="Answer to a cancel within, in minutes"
          description="After so long a warehouse that says nothing counts as silent. Empty: 240."
          placeholder="240"
          min={1}
          max={10_080}
          allowDecimal={false}
          value={settings.cancel_deadline_minutes ?? ''}
          onChange={(value) => change({ cancel_deadline_minutes: value === '' ? null : Number(value) })}
        />
        <TextInput
          label="Who asks a silent warehouse"
          description="A name that is shown. Empty: the staff of this connection."
          value={settings.cancel_owner ?? ''}
          onChange={(event) => change({ cancel_owner: event.currentTarget.value || null })}
        />
        <TextInput
          label="Beginning of order keys"
          description="In place of BP and the account, where that is too long. Fixed once there are orders."
          value={settings.key_prefix ?? ''}
          onChange={(event) => change({ key_prefix: event.currentTarget.value.trim() || null })}
        />
      </SimpleGrid>
    </Section>
  );
}
