import { ActionIcon, Button, Group, Text, TextInput } from '@mantine/core';
import IconX from '@tabler/icons-react/dist/esm/icons/IconX.mjs';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { FormDialog } from '../parts/dialog';
import { EmptyNote } from '../parts/notes';
import { Section } from '../parts/section';
import { Rows } from '../parts/table';
import { Code } from '../parts/values';
import { MappingsFile } from './mappings-file';
import { useSave } from './mappings-save';

type Kit = Schemas['KitIn'];

interface Part {
  key: number;
  sku: string;
  units: string;
}

const said = (kit: Kit) => kit.parts.map((part) => `${part[1] ?? ''} × ${part[0] ?? ''}`).join(', ');

/** Brightpearl's SKUs that are sent as their parts. */
export function Kits({ connection, kits }: { connection: string; kits: Kit[] }) {
  const { decides } = useRights();
  const [edited, setEdited] = useState<Kit | null>(null);
  const remove = useSave(connection, 'The bundle is not taken apart any more.');
  return (
    <Section
      title={`Bundles (${kits.length})`}
      about="Brightpearl's SKUs that the warehouse is sent as their parts. Bundles of Brightpearl's own come apart by themselves; these are for SKUs that are one product there."
      actions={
        <>
          <MappingsFile connection={connection} table="kits.csv" called="bundles" />
          {decides && (
            <Button size="xs" variant="default" onClick={() => setEdited({ sku: '', parts: [] })}>
              Add a bundle
            </Button>
          )}
        </>
      }
    >
      {kits.length === 0 ? (
        <EmptyNote title="No bundle is taken apart here">
          Each bundle stands here with its parts once it is added, and an order for it goes to the warehouse as these.
          {decides && ' Press Add a bundle, or import a table.'}
        </EmptyNote>
      ) : (
        <Rows
          label="Bundles"
          rows={kits}
          id={(kit) => kit.sku}
          columns={[
            { title: 'Bundle', show: (kit) => <Code>{kit.sku}</Code> },
            { title: 'Parts', show: said },
            ...(decides
              ? [
                  {
                    title: 'Do',
                    show: (kit: Kit) => (
                      <Group gap="xs">
                        <Button size="xs" variant="default" aria-label={`Edit ${kit.sku}`} onClick={() => setEdited(kit)}>
                          Edit
                        </Button>
                        <Action
                          size="xs"
                          label="Remove"
                          about={kit.sku}
                          danger
                          explains="Orders with it then go to the warehouse with its own SKU, as one product, where that is mapped; else they are held, or sent with the SKU as it is."
                          run={() => remove.mutateAsync({ kits: kits.filter((one) => one.sku !== kit.sku) })}
                        />
                      </Group>
                    ),
                  },
                ]
              : []),
          ]}
        />
      )}
      {edited && <KitDialog connection={connection} kits={kits} kit={edited} close={() => setEdited(null)} />}
    </Section>
  );
}

function KitDialog({ connection, kits, kit, close }: { connection: string; kits: Kit[]; kit: Kit; close: () => void }) {
  const [sku, setSku] = useState(kit.sku);
  const [parts, setParts] = useState<Part[]>(() => {
    const given = kit.parts.map((part, key) => ({ key, sku: part[0] ?? '', units: part[1] ?? '1' }));
    return given.length > 0 ? given : [{ key: 0, sku: '', units: '1' }];
  });
  const save = useSave(connection, 'The bundle is kept.');
  const change = (key: number, part: Partial<Part>) => setParts(parts.map((one) => (one.key === key ? { ...one, ...part } : one)));
  const keep = () => {
    const made: Kit = { sku: sku.trim(), parts: parts.map((part) => [part.sku.trim(), part.units.trim()]) };
    const others = kits.filter((one) => one.sku !== kit.sku && one.sku !== made.sku);
    save.mutate({ kits: [...others, made] }, { onSuccess: close });
  };
  return (
    <FormDialog
      close={close}
      title={kit.sku ? `Bundle ${kit.sku}` : 'Add a bundle'}
      starred
      submit={keep}
      label="Keep"
      busy={save.isPending}
      error={save.error}
    >
      <TextInput label="Brightpearl's SKU" required data-autofocus value={sku} onChange={(event) => setSku(event.currentTarget.value)} />
      <Text size="sm" fw={600}>
        Its parts
      </Text>
      {parts.map((part, index) => (
        <Group key={part.key} align="flex-end" gap="xs" wrap="nowrap">
          <TextInput
            label="Warehouse's SKU"
            required
            style={{ flex: 1 }}
            value={part.sku}
            onChange={(event) => change(part.key, { sku: event.currentTarget.value })}
          />
          <TextInput
            label="Units"
            required
            inputMode="decimal"
            pattern="[0-9]+([.][0-9]+)?"
            w={90}
            value={part.units}
            onChange={(event) => change(part.key, { units: event.currentTarget.value })}
          />
          {parts.length > 1 && (
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={`Take part ${index + 1} away`}
              onClick={() => setParts(parts.filter((one) => one.key !== part.key))}
            >
              <IconX size={16} />
            </ActionIcon>
          )}
        </Group>
      ))}
      <Group>
        <Button
          size="xs"
          variant="default"
          onClick={() => setParts([...parts, { key: Math.max(...parts.map((part) => part.key)) + 1, sku: '', units: '1' }])}
        >
          Another part
        </Button>
      </Group>
    </FormDialog>
  );
}
