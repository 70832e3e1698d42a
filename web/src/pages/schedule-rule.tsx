import { ActionIcon, Button, Chip, Group, Input, NumberInput, Paper, Select, Stack, TextInput } from '@mantine/core';
import IconX from '@tabler/icons-react/dist/esm/icons/IconX.mjs';
import { useId } from 'react';
import type { Schemas } from '../api/client';
import type { Faults } from '../parts/faults';

export type Rule = Schemas['RuleIn'];
type Flexible = Extract<Rule, { kind: 'flexible' }>;
type Block = Schemas['BlockIn'];

const DAYS = [
  ['monday', 'Mon'],
  ['tuesday', 'Tue'],
  ['wednesday', 'Wed'],
  ['thursday', 'Thu'],
  ['friday', 'Fri'],
  ['saturday', 'Sat'],
  ['sunday', 'Sun'],
] as const;

const KINDS: { value: Rule['kind']; label: string }[] = [
  { value: 'minutely', label: 'Every so many minutes' },
  { value: 'hourly', label: 'Every so many hours' },
  { value: 'daily', label: 'Once a day' },
  { value: 'flexible', label: 'On days, within hours' },
];

/** How a rule of each kind begins. */
const FIRST: { [K in Rule['kind']]: Extract<Rule, { kind: K }> } = {
  minutely: { kind: 'minutely', minutes: 15 },
  hourly: { kind: 'hourly', hours: 1, minute: 0 },
  daily: { kind: 'daily', at: '06:00' },
  flexible: {
    kind: 'flexible',
    days: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'],
    blocks: [{ from: 8, to: 18 }],
    minutes: 15,
  },
};

export const newRule = (): Rule => FIRST.minutely;

/** Most blocks of hours that one rule takes. */
const MOST_BLOCKS = 24;

const hour = (at: number) => `${String(at).padStart(2, '0')}:00`;
const hours = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, place) => ({ value: String(from + place), label: hour(from + place) }));

interface Props {
  /** Which of them, from 1. */
  place: number;
  rule: Rule;
  faults: Faults;
  change: (rule: Rule) => void;
  remove: () => void;
}

/** One rule, with the fields that its kind has. */
export function RuleFields({ place, rule, faults, change, remove }: Props) {
  const at = (field: string) => faults.at(`rules.${place - 1}.${field}`, rule);
  return (
    <Paper withBorder p="sm" role="group" aria-label={`Rule ${place}`}>
      <Group align="flex-start" justify="space-between" wrap="nowrap" gap="xs">
        <Stack gap="sm" flex={1}>
          <Group align="flex-end" gap="sm">
            <Select
              label={`Rule ${place}`}
              w={220}
              allowDeselect={false}
              data={KINDS}
              value={rule.kind}
              onChange={(kind) => kind && change(FIRST[kind])}
            />
            {rule.kind === 'daily' && (
              <TextInput
                type="time"
                label="At"
                required
                w={120}
                value={rule.at}
                error={at('at')}
                onChange={(event) => change({ ...rule, at: event.currentTarget.value.slice(0, 5) })}
              />
            )}
            {rule.kind === 'hourly' && (
              <>
                <Whole label="Hours between" error={at('hours')} value={rule.hours} max={12} change={(value) => change({ ...rule, hours: value })} />
                <Whole label="At minute" error={at('minute')} value={rule.minute} min={0} max={59} change={(value) => change({ ...rule, minute: value })} />
              </>
            )}
            {(rule.kind === 'minutely' || rule.kind === 'flexible') && (
              <Whole label="Minutes between" error={at('minutes')} value={rule.minutes} max={720} change={(value) => change({ ...rule, minutes: value })} />
            )}
          </Group>
          {rule.kind === 'flexible' && <When rule={rule} error={at('days') ?? at('blocks')} change={change} />}
        </Stack>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Remove rule ${place}`} onClick={remove}>
          <IconX size={16} />
        </ActionIcon>
      </Group>
    </Paper>
  );
}

interface WholeProps {
  label: string;
  error: string | undefined;
  value: number;
  min?: number;
  max: number;
  change: (value: number) => void;
}

function Whole({ label, error, value, min = 1, max, change }: WholeProps) {
  return (
    <NumberInput
      label={label}
      error={error}
      w={150}
      required
      min={min}
      max={max}
      clampBehavior="strict"
      allowDecimal={false}
      allowNegative={false}
      // Empty while somebody types; the field is required, so nothing is kept like that.
      value={Number.isNaN(value) ? '' : value}
      onChange={(given) => change(given === '' ? Number.NaN : Number(given))}
    />
  );
}

/** The days and hours of a flexible rule. */
function When({ rule, error, change }: { rule: Flexible; error: string | undefined; change: (rule: Rule) => void }) {
  const days = useId();
  const set = (index: number, block: Block) => change({ ...rule, blocks: rule.blocks.map((one, at) => (at === index ? block : one)) });
  return (
    <>
      <div role="group" aria-labelledby={days}>
        <Input.Label id={days} component="div">
          Days
        </Input.Label>
        <Chip.Group multiple value={rule.days} onChange={(chosen) => change({ ...rule, days: chosen as Flexible['days'] })}>
          <Group gap={6}>
            {DAYS.map(([day, label]) => (
              <Chip key={day} value={day} size="xs">
                {label}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
        {rule.days.length === 0 && <Input.Error mt={4}>Choose at least one day.</Input.Error>}
        {error && <Input.Error mt={4}>{error}</Input.Error>}
      </div>
      {rule.blocks.map((block, index) => (
        // Blocks have no name but their place.
        <Group key={index} gap="xs" align="flex-end" wrap="nowrap">
          <Select
            label="From"
            w={110}
            allowDeselect={false}
            data={hours(0, 23)}
            value={String(block.from)}
            onChange={(from) => set(index, { from: Number(from), to: Math.max(block.to, Number(from) + 1) })}
          />
          <Select
            label="Until"
            w={110}
            allowDeselect={false}
            data={hours(block.from + 1, 24)}
            value={String(block.to)}
            onChange={(to) => set(index, { ...block, to: Number(to) })}
          />
          {rule.blocks.length > 1 && (
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={`Remove the hours from ${hour(block.from)} until ${hour(block.to)}`}
              onClick={() => change({ ...rule, blocks: rule.blocks.filter((_, at) => at !== index) })}
            >
              <IconX size={16} />
            </ActionIcon>
          )}
        </Group>
      ))}
      {rule.blocks.length < MOST_BLOCKS && (
        <Group>
          <Button size="compact-sm" variant="subtle" onClick={() => change({ ...rule, blocks: [...rule.blocks, { from: 18, to: 22 }] })}>
            More hours
          </Button>
        </Group>
      )}
    </>
  );
}

/** Whether it can be kept as it stands; the fields themselves see to the rest. */
export function complete(rule: Rule): boolean {
  switch (rule.kind) {
    case 'daily':
      return rule.at !== '';
    case 'hourly':
      return !Number.isNaN(rule.hours) && !Number.isNaN(rule.minute);
    case 'minutely':
      return !Number.isNaN(rule.minutes);
    case 'flexible':
      return !Number.isNaN(rule.minutes) && rule.days.length > 0;
  }
}
