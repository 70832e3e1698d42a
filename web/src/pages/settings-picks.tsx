import { MultiSelect, Select } from '@mantine/core';
import type { Schemas } from '../api/client';

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

interface Props {
  label: string;
  description: string;
  choices: Choice[];
  required?: boolean;
  error: string | undefined;
}

/** One of the account's own entries. */
export function PickOne(props: Props & { value: Ref | null | undefined; change: (value: number | null) => void }) {
  const { label, description, choices, required = false, error, value, change } = props;
  return (
    <Select
      label={label}
      description={description}
      required={required}
      clearable={!required}
      searchable={choices.length > 8}
      // The focus comes here by itself where something is wrong, which an open list would cover.
      openOnFocus={false}
      placeholder={required ? 'Pick one' : 'None'}
      data={options(choices)}
      value={idOf(choices, value)}
      error={error}
      onChange={(chosen) => change(chosen === null ? null : Number(chosen))}
      clearButtonProps={{ 'aria-label': `No ${label.toLowerCase()}` }}
    />
  );
}

/** Several of them; none picked stands for all, where some need not be. */
export function PickMany(props: Props & { value: Ref[] | undefined; change: (value: number[]) => void }) {
  const { label, description, choices, required = false, error, value = [], change } = props;
  const chosen = value.map((ref) => idOf(choices, ref)).filter((id): id is string => id !== null);
  return (
    <MultiSelect
      label={label}
      description={description}
      required={required}
      searchable
      openOnFocus={false}
      clearable
      placeholder={chosen.length === 0 ? (required ? 'Pick some' : 'All') : ''}
      data={options(choices)}
      value={chosen}
      error={error}
      onChange={(ids) => change(ids.map(Number))}
      clearButtonProps={{ 'aria-label': `Empty ${label.toLowerCase()}` }}
    />
  );
}
