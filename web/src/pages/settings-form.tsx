import { Select, SimpleGrid, Stack } from '@mantine/core';
import { Reveal } from '../parts/reveal';
import { Section } from '../parts/section';
import { Starred } from '../parts/starred';
import { CancelsAndKeys, FewerOrders, OnTheirWay, WithoutMapping } from './settings-more';
import { startsByOrder, type PartProps, type Settings } from './settings-part';
import { PickMany, PickOne } from './settings-picks';
import { StockForm } from './settings-stock';

interface Props extends Omit<PartProps, 'set'> {
  /** Only what nobody can do without is shown at first: for somebody who makes a connection. */
  folded?: boolean;
  change: (settings: Settings) => void;
}

/** What has a value by itself, by its place in the settings; which is also how many there are. */
const MORE = [
  ...['channels', 'placed_from'],
  ...['carrier', 'service', 'default_source_method', 'unmapped_sku'],
  ...['on_change', 'hold_minutes', 'facility'],
  ...['cancel_deadline_minutes', 'cancel_owner', 'key_prefix'],
  ...['basis', 'increases', 'first_run', 'batch', 'settle_seconds', 'revive_archived', 'two_people'],
  ...['share_percent', 'zero_percent', 'missing_percent', 'line', 'run', 'feed_age_minutes'],
];
const ONLY_OF_NOTES = 'short_ship';

/** What is chosen for a connection. Everything that is the account's own is picked from the account's own lists. */
export function SettingsForm({ folded = false, change, ...given }: Props) {
  const { settings, faults } = given;
  const part = { ...given, set: (some: Partial<Settings>) => change({ ...settings, ...some }) };
  const more = startsByOrder(settings) ? MORE : [...MORE, ONLY_OF_NOTES];
  const rest = (
    <Stack>
      <FewerOrders {...part} />
      <WithoutMapping {...part} />
      <OnTheirWay {...part} />
      <CancelsAndKeys {...part} />
      <StockForm {...part} />
    </Stack>
  );
  return (
    <Stack>
      <Starred />
      <WhichOrders {...part} />
      <WhatIsTold {...part} />
      {folded ? (
        <Reveal
          show={`${more.length} more settings, which have a value by themselves`}
          hide="Fewer settings"
          forced={faults.within(more)}
        >
          {rest}
        </Reveal>
      ) : (
        rest
      )}
    </Stack>
  );
}

function WhichOrders({ settings, choices, faults, set }: PartProps) {
  const byOrder = startsByOrder(settings);
  const selects = (settings.import_warehouses ?? []).length > 0;
  return (
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
          error={faults.at('start_mode', settings.start_mode)}
          allowDeselect={false}
          onChange={(value) => set({ start_mode: value ?? 'order' })}
        />
        <PickMany
          label="Import from these statuses"
          description="Orders with one of them are sent to the warehouse."
          required={byOrder}
          choices={choices.statuses}
          value={settings.import_statuses}
          error={faults.at('import_statuses', settings.import_statuses)}
          change={(value) => set({ import_statuses: value })}
        />
        <PickOne
          label="Warehouse Name"
          description={byOrder || selects ? 'Work with this Brightpearl warehouse only.' : 'Its goods-out notes are what is sent.'}
          required={!byOrder && !selects}
          choices={choices.warehouses}
          value={settings.warehouse}
          error={faults.at('warehouse', settings.warehouse)}
          change={(value) => set({ warehouse: value })}
        />
        <PickMany
          label="Import orders from the selected Warehouses"
          description="Empty: the one above, or all."
          choices={choices.warehouses}
          value={settings.import_warehouses}
          error={faults.at('import_warehouses', settings.import_warehouses)}
          change={(value) => set({ import_warehouses: value })}
        />
      </SimpleGrid>
    </Section>
  );
}

function WhatIsTold({ settings, choices, faults, set }: PartProps) {
  return (
    <Section title="What Brightpearl is told">
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <PickOne
          label="Status: at the warehouse"
          description="Set once the warehouse has the order."
          choices={choices.statuses}
          value={settings.at_warehouse_status}
          error={faults.at('at_warehouse_status', settings.at_warehouse_status)}
          change={(value) => set({ at_warehouse_status: value })}
        />
        <PickOne
          label="Status: partly shipped"
          description="Set while the rest is still to come."
          choices={choices.statuses}
          value={settings.partly_shipped_status}
          error={faults.at('partly_shipped_status', settings.partly_shipped_status)}
          change={(value) => set({ partly_shipped_status: value })}
        />
        <PickOne
          label="Status: shipped"
          description="Set when everything has left."
          choices={choices.statuses}
          value={settings.shipped_status}
          error={faults.at('shipped_status', settings.shipped_status)}
          change={(value) => set({ shipped_status: value })}
        />
        <PickOne
          label="Inventory Update Price List"
          description="Its price is the value of stock that is added. None: the account's cost price list."
          choices={choices.price_lists}
          value={settings.price_list}
          error={faults.at('price_list', settings.price_list)}
          change={(value) => set({ price_list: value })}
        />
      </SimpleGrid>
    </Section>
  );
}
