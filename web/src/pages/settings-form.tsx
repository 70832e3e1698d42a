import { MultiSelect, NumberInput, Select, SimpleGrid, Stack, Switch, TextInput } from '@mantine/core';
import type { Schemas } from '../api/client';
import { Section } from '../parts/section';
import { BrakesForm } from './brakes';
import { CancelsAndKeys } from './settings-more';

export type Settings = Schemas['ConnectionSettingsIn'];
type Choices = Schemas['ChoicesOut'];
type Choice = Schemas['ChoiceOut'];
type Ref = Schemas['NameOrId'];

/** The account's entries to pick from; the API takes the id. */
function options(choices: Choice[]) {
  return choices.map((choice) => ({
    value: String(choice.id),
    label: choice.detail ? `${choice.name} (${choice.detail})` : choice.name,
  }));
}

function idOf(choices: Choice[], ref: Ref | null | undefined): string | null {
  if (ref === null || ref === undefined) return null;
  const found = choices.find((choice) => choice.id === ref || choice.name === ref);
  return found ? String(found.id) : String(ref);
}

interface PickProps {
  label: string;
  description: string;
  choices: Choice[];
  required?: boolean;
}

function PickOne(props: PickProps & { value: Ref | null | undefined; change: (value: number | null) => void }) {
  const { label, description, choices, required = false, value, change } = props;
  return (
    <Select
      label={label}
      description={description}
      required={required}
      clearable={!required}
      searchable={choices.length > 8}
      placeholder={required ? 'Pick one' : 'None'}
      data={options(choices)}
      value={idOf(choices, value)}
      onChange={(chosen) => change(chosen === null ? null : Number(chosen))}
      clearButtonProps={{ 'aria-label': `No ${label.toLowerCase()}` }}
    />
  );
}

function PickMany(props: PickProps & { value: Ref[] | undefined; change: (value: number[]) => void }) {
  const { label, description, choices, required = false, value = [], change } = props;
  const chosen = value.map((ref) => idOf(choices, ref)).filter((id): id is string => id !== null);
  return (
    <MultiSelect
      label={label}
      description={description}
      required={required}
      searchable
      clearable
      placeholder={chosen.length === 0 ? (required ? 'Pick some' : 'All') : ''}
      data={options(choices)}
      value={chosen}
      onChange={(ids) => change(ids.map(Number))}
      clearButtonProps={{ 'aria-label': `Empty ${label.toLowerCase()}` }}
    />
  );
}

interface Props {
  settings: Settings;
  choices: Choices;
  facilities?: string[];
  change: (settings: Settings) => void;
}

/** What is chosen for a connection. Everything that is the account's own is picked from the account's own lists. */
export function SettingsForm({ settings, choices, facilities = [], change }: Props) {
  const set = <K extends keyof Settings>(name: K, value: Settings[K]) => change({ ...settings, [name]: value });
  const byOrder = (settings.start_mode ?? 'order') === 'order';
  return (
    <Stack>
      <Section title="Which orders">
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <Select
            label="What starts a shipment"
            description="Whether the sales order asks the warehouse to ship, or a goods-out note that somebody makes in Brightpearl."
            data={[
              { value: 'order', label: 'The sales order' },
              { value: 'goods_out_note', label: 'A goods-out note that is not shipped' },
            ]}
            value={settings.start_mode ?? 'order'}
            allowDeselect={false}
            onChange={(value) => set('start_mode', value ?? 'order')}
          />
          <PickMany
            label="Import from these statuses"
            description="Orders with one of them are sent to the warehouse."
            required={byOrder}
            choices={choices.statuses}
            value={settings.import_statuses}
            change={(value) => set('import_statuses', value)}
          />
          <PickOne
            label="Warehouse Name"
            description="Work with this Brightpearl warehouse only."
            choices={choices.warehouses}
            value={settings.warehouse}
            change={(value) => set('warehouse', value)}
          />
          <PickMany
            label="Import orders from the selected Warehouses"
            description="Empty: the one above, or all."
            choices={choices.warehouses}
            value={settings.import_warehouses}
            change={(value) => set('import_warehouses', value)}
          />
          <PickMany
            label="Channels"
            description="Only orders of these. Empty: all."
            choices={choices.channels}
            value={settings.channels}
            change={(value) => set('channels', value)}
          />
          <TextInput
            type="date"
            label="Placed from"
            description="Older orders are left out; the day begins at midnight UTC."
            value={settings.placed_from?.slice(0, 10) ?? ''}
            onChange={(event) =>
              set('placed_from', event.currentTarget.value ? `${event.currentTarget.value}T00:00:00Z` : null)
            }
          />
        </SimpleGrid>
      </Section>
      <Section title="What Brightpearl is told">
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <PickOne
            label="Status: at the warehouse"
            description="Set once the warehouse has the order."
            choices={choices.statuses}
            value={settings.at_warehouse_status}
            change={(value) => set('at_warehouse_status', value)}
          />
          <PickOne
            label="Status: partly shipped"
            description="Set while the rest is still to come."
            choices={choices.statuses}
            value={settings.partly_shipped_status}
            change={(value) => set('partly_shipped_status', value)}
          />
          <PickOne
            label="Status: shipped"
            description="Set when everything has left."
            choices={choices.statuses}
            value={settings.shipped_status}
            change={(value) => set('shipped_status', value)}
          />
          <PickOne
            label="Shipping method where none is mapped"
            description="Written on goods-out notes for a carrier that the mappings do not name."
            choices={choices.ship_methods}
            value={settings.default_source_method}
            change={(value) => set('default_source_method', value)}
          />
        </SimpleGrid>
      </Section>
      <Section title="What the warehouse is sent">
        <SimpleGrid cols={{ base: 1, sm: 2 }}>
          <TextInput
            label="Carrier where none is mapped"
            description="Code of the warehouse. Empty: such orders are held."
            value={settings.default_ship_method?.carrier ?? ''}
            onChange={(event) =>
              set(
                'default_ship_method',
                event.currentTarget.value
                  ? { ...settings.default_ship_method, carrier: event.currentTarget.value }
                  : null,
              )
            }
          />
          <TextInput
            label="Its service"
            description="May stay empty."
            disabled={!settings.default_ship_method}
            value={settings.default_ship_method?.service ?? ''}
            onChange={(event) =>
              settings.default_ship_method &&
              set('default_ship_method', { ...settings.default_ship_method, service: event.currentTarget.value })
            }
          />
          <Select
            label="SKUs without a mapping"
            description="Held until somebody maps them, or sent unchanged."
            data={[
              { value: 'strict', label: 'Hold the order' },
              { value: 'pass_through', label: 'Send the SKU as it is' },
            ]}
            value={settings.unmapped_sku ?? 'strict'}
            allowDeselect={false}
            onChange={(value) => set('unmapped_sku', value ?? 'strict')}
          />
          <Select
            label="An order that changes after it was sent"
            description="Whether a person decides, or it is cancelled there and sent anew."
            data={[
              { value: 'ask', label: 'Ask a person' },
              { value: 'cancel_and_resend', label: 'Cancel it and send it again' },
            ]}
            value={settings.on_change ?? 'ask'}
            allowDeselect={false}
            onChange={(value) => set('on_change', value ?? 'ask')}
          />
          <NumberInput
            label="Minutes for second thoughts"
            description="So long an order waits before the warehouse may work on it."
            min={0}
            allowDecimal={false}
            value={settings.hold_minutes ?? 0}
            onChange={(value) => set('hold_minutes', Number(value))}
          />
          {facilities.length > 0 ? (
            <Select
              label="Facility"
              description="Named on what is sent."
              clearable
              data={facilities}
              value={settings.facility ?? null}
              onChange={(value) => set('facility', value)}
              clearButtonProps={{ 'aria-label': 'No facility' }}
            />
          ) : (
            <TextInput
              label="Facility"
              description="Named on what is sent, where the warehouse has several."
              value={settings.facility ?? ''}
              onChange={(event) => set('facility', event.currentTarget.value || null)}
            />
          )}
          {!byOrder && (
            <Select
              label="A goods-out note that ships short"
              description="Held for a person, or replaced by one for what left."
              data={[
                { value: 'hold', label: 'Hold it' },
                { value: 'replace', label: 'Replace it' },
              ]}
              value={settings.short_ship ?? 'hold'}
              allowDeselect={false}
              onChange={(value) => set('short_ship', value ?? 'hold')}
            />
          )}
        </SimpleGrid>
      </Section>
      <CancelsAndKeys settings={settings} change={(part) => change({ ...settings, ...part })} />
      <StockForm settings={settings} choices={choices} change={change} />
    </Stack>
  );
}

function StockForm({ settings, choices, change }: Props) {
  const stock = settings.stock ?? {};
  const set = (part: Partial<Schemas['StockSettingsIn']>) => change({ ...settings, stock: { ...stock, ...part } });
  return (
    <Section title="Stock" about="How the warehouse's count corrects Brightpearl. The channel has a switch of its own.">
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <PickOne
          label="Inventory Update Price List"
          description="Its price is the value of stock that is added."
          choices={choices.price_lists}
          value={settings.price_list}
          change={(value) => change({ ...settings, price_list: value })}
        />
        <Select
          label="What the warehouse's figures mean"
          description="Ask the warehouse if you do not know: a wrong choice counts open orders twice."
          data={[
            { value: 'physical', label: 'Everything on the shelf' },
            { value: 'available', label: 'What is still free' },
          ]}
          value={stock.basis ?? 'available'}
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
          allowDeselect={false}
          onChange={(value) => set({ first_run: value ?? 'ask' })}
        />
        <NumberInput
          label="Products of one correction"
          description="So many are corrected with one call; a refused one is tried again in halves."
          min={1}
          max={500}
          allowDecimal={false}
          value={stock.batch ?? 100}
          onChange={(value) => value !== '' && set({ batch: Number(value) })}
        />
        <NumberInput
          label="Seconds around a count"
          description="A product with work of its own so close to the count waits for the next one."
          min={0}
          allowDecimal={false}
          value={stock.settle_seconds ?? 30}
          onChange={(value) => value !== '' && set({ settle_seconds: Number(value) })}
        />
      </SimpleGrid>
      <Switch
        label="Stock may be added to archived products"
        description="Brightpearl then brings them back to life."
        checked={stock.revive_archived ?? false}
        onChange={(event) => set({ revive_archived: event.currentTarget.checked })}
      />
      <Switch
        label="Two people approve stock"
        description="A run that waits, and lines that were held: one person’s yes is written down, another’s decides. Both sign in here; API keys and the command line are refused. Dropping a run and taking one back take one person."
        checked={stock.two_people ?? false}
        onChange={(event) => set({ two_people: event.currentTarget.checked })}
      />
      <BrakesForm brakes={stock.brakes ?? {}} change={(brakes) => set({ brakes })} />
    </Section>
  );
}
