import { Button, Group, Stack, Text, TextInput, type ButtonProps } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { reading } from '../api/client';
import { Action } from '../parts/act';
import { mapSku } from './mappings-save';

interface MapSkuProps extends Pick<ButtonProps, 'size' | 'variant'> {
  connection: string;
  sku: string;
  /** What it is mapped to now, where it is to be changed. */
  before?: string;
  /** What to do next. */
  then?: string;
  /** Words of the button, where several such stand side by side. */
  label?: string | undefined;
  /** Told once it is mapped. */
  mended?: () => void;
}

/** Maps one SKU, where somebody sees that it is missing, or maps it anew. */
export function MapSku({ connection, sku, before, then = '', label = 'Map this SKU', mended, ...button }: MapSkuProps) {
  const [to, setTo] = useState(before ?? '');
  return (
    <Action
      size="xs"
      {...button}
      {...(before === undefined ? { label } : { label: 'Change', about: sku })}
      confirm="Map it"
      said={`${sku} is mapped. ${then}`.trim()}
      explains={
        <Stack gap="xs">
          <TextInput
            label={`What the warehouse calls ${sku}`}
            description="Its SKU there, letter by letter."
            required
            data-autofocus
            value={to}
            onChange={(event) => setTo(event.currentTarget.value)}
          />
          <Counted connection={connection} text={to.trim() || sku} take={setTo} />
        </Stack>
      }
      run={() => mapSku(connection, sku, to)}
      then={mended}
    />
  );
}

/** After the last letter, until what the warehouse has like it is looked for, in milliseconds. */
const REST = 250;
/** So many are offered. */
const OFFERED = 6;

/**
 * What the warehouse has counted under a SKU like this, to be taken over with a press. They are no more than offered: what is not
 * counted yet can be mapped all the same.
 */
function Counted({ connection, text, take }: { connection: string; text: string; take: (sku: string) => void }) {
  const [wanted] = useDebouncedValue(text, REST);
  const { data } = useQuery({
    // A SKU stands there once for each facility.
    ...reading('/api/v1/connections/{connection}/stock/levels', { path: { connection }, query: { text: wanted, limit: 4 * OFFERED } }),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
  const skus = [...new Set((data?.items ?? []).map((level) => level.sku))].filter((sku) => sku !== text).slice(0, OFFERED);
  if (skus.length === 0) return null;
  return (
    <Group gap={6} role="group" aria-label="SKUs that the warehouse has counted">
      <Text size="sm" className="quiet">
        It has counted:
      </Text>
      {skus.map((sku) => (
        <Button key={sku} size="compact-sm" variant="default" aria-label={`Take ${sku}`} onClick={() => take(sku)}>
          {sku}
        </Button>
      ))}
    </Group>
  );
}
