import { NumberInput, Select, SimpleGrid, TextInput } from '@mantine/core';
import { Section } from '../parts/section';
import { CodeField, carriersIn, servicesIn } from './code-field';
import { startsByOrder, type PartProps } from './settings-part';
import { PickMany, PickOne } from './settings-picks';

/** Orders that are left out on purpose. */
export function FewerOrders({ settings, choices, faults, set }: PartProps) {
  return (
    <Section title="Only some of these orders">
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <PickMany
          label="Channels"
          description="Only orders of these. Empty: all."
          choices={choices.channels}
          value={settings.channels}
          error={faults.at('channels', settings.channels)}
          change={(value) => set({ channels: value })}
        />
        <TextInput
          type="date"
          label="Placed from"
          description="Older orders are left out; the day begins at midnight UTC."
          value={settings.placed_from?.slice(0, 10) ?? ''}
          error={faults.at('placed_from', settings.placed_from)}
          onChange={(event) => set({ placed_from: event.currentTarget.value ? `${event.currentTarget.value}T00:00:00Z` : null })}
        />
      </SimpleGrid>
    </Section>
  );
}

/** What becomes of shipping methods, carriers and SKUs that the mappings do not name. */
export function WithoutMapping({ settings, choices, listed, faults, set }: PartProps) {
  const method = settings.default_ship_method;
  return (
    <Section title="Where the mappings say nothing">
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <CodeField
          label="Carrier where none is mapped"
          description="Code of the warehouse. Empty: such orders are held."
          codes={carriersIn(listed)}
          value={method?.carrier ?? ''}
          error={faults.at('carrier', method?.carrier)}
          change={(carrier) => set({ default_ship_method: carrier ? { ...method, carrier } : null })}
        />
        <CodeField
          label="Its service"
          description={method ? 'Code of the warehouse; may stay empty.' : 'Of the carrier: enter that first.'}
          disabled={!method}
          codes={servicesIn(listed, method?.carrier ?? '')}
          value={method?.service ?? ''}
          error={faults.at('service', method?.service)}
          change={(service) => method && set({ default_ship_method: { ...method, service } })}
        />
        <PickOne
          label="Shipping method where none is mapped"
          description="Written on goods-out notes for a carrier that the mappings do not name. None: such shipments are held."
          choices={choices.ship_methods}
          value={settings.default_source_method}
          error={faults.at('default_source_method', settings.default_source_method)}
          change={(value) => set({ default_source_method: value })}
        />
        <Select
          label="SKUs without a mapping"
          description="Held until somebody maps them, or sent unchanged."
          data={[
            { value: 'strict', label: 'Hold the order' },
            { value: 'pass_through', label: 'Send the SKU as it is' },
          ]}
          value={settings.unmapped_sku ?? 'strict'}
          error={faults.at('unmapped_sku', settings.unmapped_sku)}
          allowDeselect={false}
          onChange={(value) => set({ unmapped_sku: value ?? 'strict' })}
        />
      </SimpleGrid>
    </Section>
  );
}

/** How orders go, and what happens when they change on the way. */
export function OnTheirWay({ settings, listed, faults, set }: PartProps) {
  return (
    <Section title="What the warehouse is sent">
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <Select
          label="An order that changes after it was sent"
          description="Whether a person decides, or it is cancelled there and sent anew."
          data={[
            { value: 'ask', label: 'Ask a person' },
            { value: 'cancel_and_resend', label: 'Cancel it and send it again' },
          ]}
          value={settings.on_change ?? 'ask'}
          error={faults.at('on_change', settings.on_change)}
          allowDeselect={false}
          onChange={(value) => set({ on_change: value ?? 'ask' })}
        />
        <NumberInput
          label="Wait before the warehouse may start, in minutes"
          description="So long an order can be changed or cancelled without asking the warehouse. 0: it does not wait."
          required
          min={0}
          allowDecimal={false}
          value={settings.hold_minutes ?? 0}
          error={faults.at('hold_minutes', settings.hold_minutes)}
          onChange={(value) => value !== '' && set({ hold_minutes: Number(value) })}
        />
        <CodeField
          label="Facility"
          description="Named on what is sent, where the warehouse has several."
          codes={listed.facilities}
          value={settings.facility ?? ''}
          error={faults.at('facility', settings.facility)}
          change={(facility) => set({ facility: facility || null })}
        />
        {!startsByOrder(settings) && (
          <Select
            label="A goods-out note that ships short"
            description="Held for a person, or replaced by one for what left."
            data={[
              { value: 'hold', label: 'Hold it' },
              { value: 'replace', label: 'Replace it' },
            ]}
            value={settings.short_ship ?? 'hold'}
            error={faults.at('short_ship', settings.short_ship)}
            allowDeselect={false}
            onChange={(value) => set({ short_ship: value ?? 'hold' })}
          />
        )}
      </SimpleGrid>
    </Section>
  );
}

/** What a cancel waits for, and what orders are called at the warehouse. */
export function CancelsAndKeys({ settings, faults, set }: PartProps) {
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
          error={faults.at('cancel_deadline_minutes', settings.cancel_deadline_minutes)}
          onChange={(value) => set({ cancel_deadline_minutes: value === '' ? null : Number(value) })}
        />
        <TextInput
          label="Who asks a silent warehouse"
          description="A name that is shown. Empty: the staff of this connection."
          value={settings.cancel_owner ?? ''}
          error={faults.at('cancel_owner', settings.cancel_owner)}
          onChange={(event) => set({ cancel_owner: event.currentTarget.value || null })}
        />
        <TextInput
          label="Prefix of order keys"
          description="What the keys begin with, in place of BP and the account where that is too long. Fixed once there are orders."
          value={settings.key_prefix ?? ''}
          error={faults.at('key_prefix', settings.key_prefix)}
          onChange={(event) => set({ key_prefix: event.currentTarget.value.trim() || null })}
        />
      </SimpleGrid>
    </Section>
  );
}
