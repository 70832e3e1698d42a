import { NumberInput, PasswordInput, Select, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core';
import type { Faults } from './faults';
import { asked, type Field, type Values } from './fields';
import { Reveal } from './reveal';

interface Props {
  platform: string;
  fields: Field[];
  values: Values;
  onChange: (values: Values) => void;
  /** Names of secrets that are kept already: they may stay empty. */
  kept?: string[];
  /** What is wrong with single fields. */
  faults: Faults;
  /** The installation permits what otherwise only its operator sets. */
  standIns?: boolean;
}

/**
 * A form made of a platform's own description of its settings. What only the operator sets is shown where that is permitted; what
 * has a value by itself is folded away.
 */
export function SchemaForm({ platform, fields, values, onChange, kept = [], faults, standIns = false }: Props) {
  const { first, more } = asked(platform, fields, values, standIns);
  const input = (field: Field) => (
    <Input
      key={field.name}
      field={field}
      value={values[field.name] ?? ''}
      change={(value) => onChange({ ...values, [field.name]: value })}
      isKept={kept.includes(field.name)}
      problem={faults.at(field.name, values[field.name])}
    />
  );
  return (
    <Stack gap="md">
      {first.map(input)}
      {more.length > 0 && (
        <Reveal
          show={`${more.length} more settings, which have a value by themselves`}
          hide="Fewer settings"
          forced={faults.within(more.map((field) => field.name))}
        >
          <Stack gap="md">{more.map(input)}</Stack>
        </Reveal>
      )}
    </Stack>
  );
}

interface InputProps {
  field: Field;
  value: string;
  change: (value: string) => void;
  isKept: boolean;
  problem: string | undefined;
}

function Input({ field, value, change, isKept, problem }: InputProps) {
  const common = {
    label: field.title,
    description: field.help,
    required: field.required && !isKept,
    error: problem,
    name: field.name,
  };
  const placeholder = isKept ? 'Kept; enter another to replace it' : (field.default ?? undefined);
  switch (field.kind) {
    case 'choice':
      return (
        <Select
          {...common}
          data={(field.choices ?? []).map((choice) => ({ value: choice.value, label: choice.title }))}
          value={value || field.default || null}
          onChange={(chosen) => change(chosen ?? '')}
          allowDeselect={!field.required}
        />
      );
    case 'switch':
      return (
        <Switch
          {...common}
          checked={(value || field.default) === 'true'}
          onChange={(event) => change(String(event.currentTarget.checked))}
        />
      );
    case 'integer':
      return <NumberInput {...common} placeholder={placeholder} value={value} onChange={(number) => change(String(number))} />;
    case 'secret':
      return (
        <PasswordInput
          {...common}
          placeholder={placeholder}
          autoComplete="new-password"
          value={value}
          onChange={(event) => change(event.currentTarget.value)}
        />
      );
    case 'long_text':
    case 'long_secret':
      return (
        <Textarea
          {...common}
          placeholder={placeholder}
          autosize
          minRows={3}
          maxRows={10}
          autoComplete="off"
          spellCheck={false}
          value={value}
          onChange={(event) => change(event.currentTarget.value)}
        />
      );
    case 'learned':
      return (
        <div>
          <Text size="sm" fw={500}>
            {field.title}
          </Text>
          <Text size="xs" className="quiet">
            {field.help}
          </Text>
          <Text size="sm" ff="monospace" className="breaks">
            {value || 'Not known yet: the test shows it.'}
          </Text>
        </div>
      );
    default:
      return (
        <TextInput
          {...common}
          placeholder={placeholder}
          autoComplete="off"
          value={value}
          onChange={(event) => change(event.currentTarget.value)}
        />
      );
  }
}
