import { Button, Checkbox, Menu, Stack } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import IconColumns from '@tabler/icons-react/dist/esm/icons/IconColumns.mjs';
import { useMemo, type ReactNode } from 'react';
import { useSession } from '../api/session';
import type { Column } from './table';

/** A column that a person may leave out, or that is only there when asked for. The first of a list is always there. */
export interface ChosenColumn<T> extends Column<T> {
  /** Not shown until somebody asks for it. */
  extra?: boolean;
}

/** Which columns of a list a person sees, kept in this browser; and the menu in which they are chosen. */
export function useColumns<T>(list: string, all: ChosenColumn<T>[]): { columns: Column<T>[]; menu: ReactNode } {
  const { person } = useSession();
  // Only what differs is kept, so that a column that comes with a later version is there.
  const [changed, setChanged] = useLocalStorage<string[]>({ key: `millrace.columns.${person.id}.${list}`, defaultValue: [] });
  const columns = useMemo(
    () => all.filter((column, place) => place === 0 || changed.includes(column.title) === Boolean(column.extra)),
    [all, changed],
  );
  const turn = (title: string) =>
    setChanged(changed.includes(title) ? changed.filter((one) => one !== title) : [...changed, title]);
  const menu = (
    <Menu position="bottom-start" withinPortal closeOnItemClick={false}>
      <Menu.Target>
        <Button variant="default" size="sm" leftSection={<IconColumns size={16} />}>
          Columns
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Kept in this browser only</Menu.Label>
        <Stack gap={8} px="sm" py={6}>
          {all.slice(1).map((column) => (
            <Checkbox
              key={column.title}
              size="sm"
              label={column.title}
              checked={columns.includes(column)}
              onChange={() => turn(column.title)}
            />
          ))}
        </Stack>
        <Menu.Divider />
        <Menu.Item disabled={changed.length === 0} onClick={() => setChanged([])}>
          As they were
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
  return { columns, menu };
}
