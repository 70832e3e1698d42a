import { TextInput } from '@mantine/core';
import { useState } from 'react';
import { Action } from '../parts/act';
import { mapSku } from './mappings-save';

/** Maps one SKU, where somebody sees that it is missing. `then` says what to do next. */
export function MapSku({ connection, sku, then }: { connection: string; sku: string; then: string }) {
  const [to, setTo] = useState('');
  return (
    <Action
      size="xs"
      label="Map this SKU"
      confirm="Map it"
      said={`${sku} is mapped. ${then}`}
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
    />
  );
}
