import { MultiSelect, Select, Switch } from '@mantine/core';
import type { Schemas } from '../api/client';
import { useNames } from '../api/names';
import { useRights } from '../api/session';
import type { Faults } from '../parts/faults';

export type Rights = Schemas['RightsIn'];

export const ROLES: { value: Schemas['PersonRole']; label: string }[] = [
  { value: 'merchant', label: 'Merchant: looks at its own' },
  { value: 'staff', label: 'Staff: looks and decides' },
  { value: 'administrator', label: 'Administrator: everything' },
];

interface RightsProps {
  faults: Faults;
  rights: Rights;
  change: (rights: Rights) => void;
}

/** What a person may do, and of whom they see anything. */
export function RightsFields({ rights, faults, change }: RightsProps) {
  const names = useNames();
  const { installation } = useRights();
  return (
    <>
      <Select
        label="Role"
        data={ROLES}
        value={rights.role}
        error={faults.at('role', rights.role)}
        allowDeselect={false}
        onChange={(value) => {
          const role = ROLES.find((one) => one.value === value)?.value ?? 'merchant';
          change({ ...rights, role, ...(role === 'administrator' ? { merchants: [] } : { installation: false }) });
        }}
      />
      {rights.role !== 'administrator' && (
        <MultiSelect
          searchable
          label="Merchants"
          description={rights.role === 'staff' ? 'Empty: all of them.' : 'They see these and nothing else.'}
          required={rights.role === 'merchant'}
          data={names.merchants}
          value={rights.merchants ?? []}
          error={faults.at('merchants', [rights.role, rights.merchants])}
          onChange={(merchants) => change({ ...rights, merchants })}
        />
      )}
      {rights.role === 'administrator' && installation && (
        <Switch
          label="Administers the whole installation"
          checked={rights.installation ?? false}
          error={faults.at('installation', rights.installation)}
          onChange={(event) => change({ ...rights, installation: event.currentTarget.checked })}
        />
      )}
    </>
  );
}
