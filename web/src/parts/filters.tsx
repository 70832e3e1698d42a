import { Button, CloseButton, Group, Menu, MultiSelect, Select, TextInput } from '@mantine/core';
import { useDebouncedCallback, useDisclosure, useLocalStorage } from '@mantine/hooks';
import IconBookmark from '@tabler/icons-react/dist/esm/icons/IconBookmark.mjs';
import IconSearch from '@tabler/icons-react/dist/esm/icons/IconSearch.mjs';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState, type ReactNode } from 'react';
import { useSession } from '../api/session';
import { FormDialog } from './dialog';

export type Filters = Record<string, string | undefined>;

export interface FilterField {
  name: string;
  label: string;
  /** What to pick from; without it, a date. */
  choices?: { value: string; label: string }[];
  /** Several of them may be picked; they stand in the address with commas between them. */
  several?: boolean;
}

/** The filters of a list stand in its address: they can be kept, sent on, and gone back to. */
export function useFilters(): [Filters, (next: Filters) => void] {
  const search: Record<string, unknown> = useSearch({ strict: false });
  const navigate = useNavigate();
  const filters = Object.fromEntries(
    Object.entries(search)
      .filter(([, value]) => value !== undefined && value !== '')
      .map(([name, value]) => [name, String(value)]),
  );
  return [filters, (next) => void navigate({ to: '.', search: clean(next), replace: true })];
}

function clean(filters: Filters): Record<string, string> {
  const kept = Object.entries(filters).filter((pair): pair is [string, string] => Boolean(pair[1]));
  return Object.fromEntries(kept);
}

/** The first moment of a day, as the person's clock has it. */
export function beginning(date: string | undefined): string | undefined {
  const at = date ? new Date(`${date}T00:00`) : undefined;
  return at && !Number.isNaN(at.getTime()) ? at.toISOString() : undefined;
}

interface View {
  name: string;
  filters: Filters;
}

interface Props {
  /** Which list: its views are kept under this name. */
  list: string;
  /** What can be searched for; without it there is no search. */
  search?: string;
  fields: FilterField[];
  /** What else decides about what is shown, such as the choice of columns. */
  more?: ReactNode;
}

/** Search, filters, and the views that this person keeps in this browser. */
export function FilterBar({ list, search, fields, more }: Props) {
  const [filters, setFilters] = useFilters();
  // What else stands in the address, such as a tab, is no filter.
  const own = ['text', ...fields.map((field) => field.name)];
  const any = own.some((name) => filters[name] !== undefined);
  const others = Object.fromEntries(Object.entries(filters).filter(([name]) => !own.includes(name)));
  return (
    <Group gap="xs" align="flex-end" role="search" aria-label={`Filter ${list}`}>
      {search && <SearchField label={search} filters={filters} setFilters={setFilters} />}
      {fields.map((field) =>
        field.choices && field.several ? (
          <MultiSelect
            key={field.name}
            label={field.label}
            size="sm"
            w={170}
            clearable
            placeholder={filters[field.name] ? undefined : 'Any'}
            data={field.choices}
            value={filters[field.name]?.split(',') ?? []}
            onChange={(values) => setFilters({ ...filters, [field.name]: values.join(',') || undefined })}
            clearButtonProps={{ 'aria-label': `Any ${field.label.toLowerCase()}` }}
          />
        ) : field.choices ? (
          <Select
            key={field.name}
            label={field.label}
            size="sm"
            w={150}
            clearable
            searchable={field.choices.length > 8}
            placeholder="Any"
            data={field.choices}
            value={filters[field.name] ?? null}
            onChange={(value) => setFilters({ ...filters, [field.name]: value ?? undefined })}
            clearButtonProps={{ 'aria-label': `Any ${field.label.toLowerCase()}` }}
          />
        ) : (
          <TextInput
            key={field.name}
            type="date"
            label={field.label}
            size="sm"
            value={filters[field.name] ?? ''}
            onChange={(event) => setFilters({ ...filters, [field.name]: event.currentTarget.value })}
          />
        ),
      )}
      {any && (
        <Button variant="subtle" size="sm" onClick={() => setFilters(others)}>
          Clear
        </Button>
      )}
      <Views list={list} filters={filters} setFilters={setFilters} />
      {more}
    </Group>
  );
}

function SearchField(props: { label: string; filters: Filters; setFilters: (next: Filters) => void }) {
  const { label, filters, setFilters } = props;
  const [text, setText] = useState(filters.text ?? '');
  useEffect(() => setText(filters.text ?? ''), [filters.text]);
  const apply = useDebouncedCallback((value: string) => setFilters({ ...filters, text: value.trim() }), 250);
  const change = (value: string) => {
    setText(value);
    apply(value);
  };
  return (
    <TextInput
      label="Search"
      placeholder={label}
      size="sm"
      className="search"
      leftSection={<IconSearch size={16} />}
      rightSection={text ? <CloseButton aria-label="Empty the search" size="sm" onClick={() => change('')} /> : null}
      value={text}
      onChange={(event) => change(event.currentTarget.value)}
    />
  );
}

function Views({ list, filters, setFilters }: { list: string; filters: Filters; setFilters: (next: Filters) => void }) {
  const { person } = useSession();
  const [views, setViews] = useLocalStorage<View[]>({ key: `millrace.views.${person.id}.${list}`, defaultValue: [] });
  const [opened, dialog] = useDisclosure(false);
  const [name, setName] = useState('');
  const save = () => {
    setViews([...views.filter((view) => view.name !== name.trim()), { name: name.trim(), filters: clean(filters) }]);
    setName('');
    dialog.close();
  };
  return (
    <>
      <Menu position="bottom-start" withinPortal>
        <Menu.Target>
          <Button variant="default" size="sm" leftSection={<IconBookmark size={16} />}>
            Views
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{views.length === 0 ? 'None is saved in this browser yet' : 'Saved in this browser only'}</Menu.Label>
          {views.map((view) => (
            <Menu.Item key={view.name} onClick={() => setFilters(view.filters)}>
              {view.name}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item disabled={Object.keys(filters).length === 0} onClick={dialog.open}>
            {Object.keys(filters).length === 0 ? 'Set a filter, to save it as a view' : 'Save what is shown as a view …'}
          </Menu.Item>
          {views
            .filter((view) => JSON.stringify(view.filters) === JSON.stringify(clean(filters)))
            .map((view) => (
              <Menu.Item key={view.name} color="red" onClick={() => setViews(views.filter((one) => one !== view))}>
                Forget “{view.name}”
              </Menu.Item>
            ))}
        </Menu.Dropdown>
      </Menu>
      <FormDialog opened={opened} close={dialog.close} title="Save a view" submit={save} label="Save">
        <TextInput
          label="Name"
          description="Kept in this browser only, for you: not on other machines, and not for others."
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
      </FormDialog>
    </>
  );
}
