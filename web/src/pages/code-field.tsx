import { Autocomplete, TextInput } from '@mantine/core';
import type { Listed } from '../api/choices';

interface Props {
  label: string;
  description?: string;
  required?: boolean;
  disabled?: boolean;
  error?: string | undefined;
  'data-autofocus'?: boolean | undefined;
  /** What the warehouse lists. */
  codes: string[];
  value: string;
  change: (value: string) => void;
}

/** A code of the warehouse: picked from what it lists, or typed, which is all there is where it lists nothing. */
export function CodeField({ codes, value, change, ...field }: Props) {
  if (codes.length === 0) return <TextInput {...field} value={value} onChange={(event) => change(event.currentTarget.value)} />;
  // Some list one code twice; and the focus may come here by itself, which an open list would cover.
  return <Autocomplete {...field} data={[...new Set(codes)]} value={value} onChange={change} openOnFocus={false} />;
}

export const carriersIn = ({ carriers }: Listed) => carriers.map(({ carrier }) => carrier);

/** The services of one carrier. */
export const servicesIn = ({ carriers }: Listed, carrier: string) =>
  carriers.filter((one) => one.carrier === carrier.trim()).flatMap(({ services }) => services);
