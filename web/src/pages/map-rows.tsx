import { Select, Stack, Text, type ButtonProps } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { choicesOf, useListedOf, type Listed } from '../api/choices';
import type { Schemas } from '../api/client';
import { Action } from '../parts/act';
import { Starred } from '../parts/starred';
import { CodeField, carriersIn, servicesIn } from './code-field';
import { sendLine } from './mappings-save';

type Choice = Schemas['ChoiceOut'];

interface Props extends Pick<ButtonProps, 'size' | 'variant'> {
  connection: string;
  /** What to do next. */
  then: string;
  /** Told once it is mapped. */
  mended?: () => void;
}

/** The account's own lists, once they are read. */
function useChoices(connection: string) {
  return useQuery(choicesOf(connection)).data;
}

const named = (choices: Choice[] | undefined, name: string) =>
  choices?.find((choice) => choice.name === name || String(choice.id) === name);
const options = (choices: Choice[] | undefined) =>
  (choices ?? []).map(({ id, name }) => ({ value: String(id), label: name }));

interface CarrierProps {
  listed: Listed;
  value: string;
  change: (value: string) => void;
  focus?: boolean;
}

function Carrier({ listed, value, change, focus = false }: CarrierProps) {
  return (
    <CodeField
      label="Carrier"
      description="The warehouse's code."
      required
      data-autofocus={focus || undefined}
      codes={carriersIn(listed)}
      value={value}
      change={change}
    />
  );
}

/** Maps one of Brightpearl's shipping methods, where somebody sees that it is missing. */
export function MapMethod({ connection, method, then, mended, ...button }: Props & { method: string }) {
  const [carrier, setCarrier] = useState('');
  const [service, setService] = useState('');
  const found = named(useChoices(connection)?.ship_methods, method);
  const listed = useListedOf(connection);
  if (!found) return null;
  return (
    <Action
      size="xs"
      {...button}
      label="Map this method"
      confirm="Map it"
      said={`${found.name} is mapped. ${then}`}
      explains={
        <Stack gap="sm">
          <Text size="sm">Orders with the shipping method “{found.name}” go to the warehouse with this carrier and service.</Text>
          <Starred />
          <Carrier listed={listed} value={carrier} change={setCarrier} focus />
          <CodeField
            label="Service"
            description="The warehouse's code. Empty: its usual one."
            codes={servicesIn(listed, carrier)}
            value={service}
            change={setService}
          />
        </Stack>
      }
      run={() => sendLine(connection, 'ship_methods.csv', [String(found.id), carrier, service])}
      then={mended}
    />
  );
}

/** Maps one of the warehouse's carriers back to a shipping method. `went` is its code and, after a space, that of the service. */
export function MapCarrier({ connection, went, then, mended, ...button }: Props & { went: string }) {
  const [first = '', ...rest] = went.trim().split(' ');
  const [carrier, setCarrier] = useState(first);
  const [service, setService] = useState(rest.join(' '));
  const [method, setMethod] = useState<string | null>(null);
  const choices = useChoices(connection);
  const listed = useListedOf(connection);
  return (
    <Action
      size="xs"
      {...button}
      label="Map this carrier"
      confirm="Map it"
      said={`${went.trim()} is mapped. ${then}`}
      explains={
        <Stack gap="sm">
          <Text size="sm">What leaves the warehouse with this carrier and service is written to Brightpearl with this shipping method.</Text>
          <Starred />
          <Carrier listed={listed} value={carrier} change={setCarrier} />
          <CodeField
            label="Service"
            description="The warehouse's code. Empty: every service of the carrier."
            codes={servicesIn(listed, carrier)}
            value={service}
            change={setService}
          />
          <Select
            label="Brightpearl's shipping method"
            required
            searchable
            data-autofocus
            data={options(choices?.ship_methods)}
            value={method}
            onChange={setMethod}
          />
        </Stack>
      }
      run={() => sendLine(connection, 'source_methods.csv', [carrier, service, method ?? ''])}
      then={mended}
    />
  );
}

/** Says which of Brightpearl's warehouses a facility of the warehouse is. */
export function MapLocation({ connection, then, mended, ...button }: Props) {
  const [facility, setFacility] = useState('');
  const [warehouse, setWarehouse] = useState<string | null>(null);
  const choices = useChoices(connection);
  const { facilities } = useListedOf(connection);
  return (
    <Action
      size="xs"
      {...button}
      label="Map a location"
      confirm="Map it"
      said={`${facility.trim()} is mapped. ${then}`}
      explains={
        <Stack gap="sm">
          <Text size="sm">What this facility of the warehouse counts and ships belongs to this Brightpearl warehouse.</Text>
          <Starred />
          <CodeField
            label="Facility"
            description="The warehouse's code, letter by letter."
            required
            data-autofocus
            codes={facilities}
            value={facility}
            change={setFacility}
          />
          <Select
            label="Brightpearl's warehouse"
            required
            data={options(choices?.warehouses)}
            value={warehouse}
            onChange={setWarehouse}
          />
        </Stack>
      }
      run={() => sendLine(connection, 'locations.csv', [facility, warehouse ?? ''])}
      then={mended}
    />
  );
}
