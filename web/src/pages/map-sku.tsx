import { TextInput, type ButtonProps } from '@mantine/core';
import { useState } from 'react';
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
        <TextInput
          label={`What the warehouse calls ${sku}`}
          description="Its SKU there, letter by letter."
          required
          data-autofocus
          value={to}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
      }
      run={() => mapSku(connection, sku, to)}
      then={mended}
    />
  );
}
