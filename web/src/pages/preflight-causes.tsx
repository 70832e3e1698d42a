import { Button, Group, List, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { choicesOf } from '../api/choices';
import { api, done, reading, type Schemas } from '../api/client';
import { useRights } from '../api/session';
import { Action } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { To, ToButton } from '../parts/link';
import { Section } from '../parts/section';
import { Rows, type Column } from '../parts/table';
import { Code } from '../parts/values';
import { MapMethod } from './map-rows';
import { MapSku } from './map-sku';

type Cause = Schemas['CauseOut'];
type Settings = Schemas['ConnectionSettingsIn'];
type Choice = Schemas['ChoiceOut'];

/** What each kind of cause is called, and which part of the answer it stands in. */
const KINDS: Record<string, [family: string, title: string]> = {
  unknown_sku: ['SKUs', 'Not mapped'],
  missing_sku: ['SKUs', 'No SKU at all'],
  kit: ['SKUs', 'Kit without complete parts'],
  product: ['SKUs', 'Product is gone'],
  quantity: ['SKUs', 'No whole units'],
  ship_method: ['Ship methods', 'Not mapped'],
  address: ['Addresses', 'Missing'],
  status: ['Statuses', 'Not imported from'],
  not_allocated: ['Stock and notes', 'Stock is not set aside'],
  no_note: ['Stock and notes', 'No goods-out note'],
  note: ['Stock and notes', 'Note does not fit'],
  warehouse: ['Left out on purpose', 'Another Brightpearl warehouse'],
  channel: ['Left out on purpose', 'Another channel'],
  order_date: ['Left out on purpose', 'Placed too early'],
  nothing_to_ship: ['Left out on purpose', 'Nothing to ship'],
  shipped: ['Left out on purpose', 'Left already'],
  cancelled: ['Left out on purpose', 'Cancelled'],
  not_a_sale: ['Left out on purpose', 'No sale'],
};
const FAMILIES = ['SKUs', 'Ship methods', 'Addresses', 'Statuses', 'Stock and notes', 'Other reasons', 'Left out on purpose'];

const familyOf = (cause: Cause) => (cause.left_out ? 'Left out on purpose' : (KINDS[cause.kind]?.[0] ?? 'Other reasons'));
const titleOf = (kind: string) => KINDS[kind]?.[1] ?? 'Another reason';

/** The causes of a pre-flight by what they are about, each with what mends it here. */
export function Causes({ connection, of }: { connection: string; of: Schemas['PreflightDetailOut'] }) {
  const { decides } = useRights();
  const now = useNow(connection);
  const columns: Column<Cause>[] = [
    { title: 'Why', show: (cause) => titleOf(cause.kind) },
    { title: 'What', show: (cause) => cause.subject && <Code>{cause.subject}</Code> },
    { title: 'Orders', figure: true, show: (cause) => cause.orders },
    ...(of.before ? [{ title: 'Before', figure: true, show: (cause: Cause) => cause.before ?? 0 }] : []),
    { title: 'Such as', show: (cause) => <Text size="sm" maw={180}>{cause.examples.join(', ')}</Text>, wide: true },
    {
      title: 'Mend',
      show: (cause) =>
        now && isMended(cause, now) ? (
          <StateBadge state="mended" tone="good" label="Mended since: run it again" />
        ) : (
          decides && now && <Mend connection={connection} cause={cause} now={now} />
        ),
    },
  ];
  return byWeight(of.causes).map(({ family, causes }) => {
    return (
      <Section
        key={family}
        title={family}
        about={<Remedies of={causes} />}
        actions={
          decides &&
          causes.length >= MANY &&
          causes.some((cause) => cause.kind === 'unknown_sku') && (
            <ToButton href={`/connections/${connection}/mappings`} size="xs" variant="default">
              Import a table of SKUs
            </ToButton>
          )
        }
      >
        <FirstRows family={family} causes={causes} columns={columns} />
      </Section>
    );
  });
}

/** So many rows of one kind of cause are shown at first: whoever has hundreds mends them with a table, and the next kind is in sight. */
const FIRST = 10;

/** The causes of one family, the heaviest of each kind at first. */
function FirstRows({ family, causes, columns }: { family: string; causes: Cause[]; columns: Column<Cause>[] }) {
  const [all, setAll] = useState(false);
  const seen = new Map<string, number>();
  const first = causes.filter(({ kind }) => {
    const count = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, count);
    return count <= FIRST;
  });
  const rest = causes.length - first.length;
  return (
    <>
      <Rows label={family} rows={all ? causes : first} id={(cause) => `${cause.kind} ${cause.subject}`} columns={columns} />
      {rest > 0 && (
        <Group>
          <Button size="xs" variant="default" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? `Only the first ${FIRST} of each kind` : `${rest} more`}
          </Button>
        </Group>
      )}
    </>
  );
}

/** From so many causes on, a table is less work than one after the other. */
const MANY = 5;

/** The families that there are; those whose worst cause holds the most orders come first, what is left out on purpose last. */
function byWeight(all: Cause[]) {
  const worst = (causes: Cause[]) => Math.max(...causes.map((cause) => (cause.left_out ? 0 : cause.orders)));
  return FAMILIES.map((family) => ({ family, causes: all.filter((cause) => familyOf(cause) === family) }))
    .filter(({ causes }) => causes.length > 0)
    .sort((one, other) => worst(other.causes) - worst(one.causes));
}

/** What to do about each kind, said once. */
function Remedies({ of }: { of: Cause[] }) {
  const kinds = [...new Map(of.map((cause) => [cause.kind, cause.remedy]))];
  if (kinds.length === 1) return kinds[0]?.[1];
  return kinds.map(([kind, remedy]) => (
    <span key={kind} className="line">
      <b>{titleOf(kind)}:</b> {remedy}
    </span>
  ));
}

/** So many of one kind are named. */
const NAMED = 12;

/** Causes of the run before that no order has any more. */
export function Gone({ mended }: { mended: Schemas['MendedOut'][] }) {
  if (mended.length === 0) return null;
  const kinds = [...new Set(mended.map((one) => one.kind))];
  return (
    <Section title="Gone since the run before">
      <List size="sm">
        {kinds.map((kind) => {
          const these = mended.filter((one) => one.kind === kind);
          const subjects = these.map((one) => one.subject).filter(Boolean);
          return (
            <List.Item key={kind}>
              {KINDS[kind]?.[0] ?? 'Other'}, {titleOf(kind).toLowerCase()}
              {these.length > 1 && ` (${these.length})`}
              {subjects.length > 0 && ': '}
              {subjects.length > 0 && <Code>{subjects.slice(0, NAMED).join(', ')}</Code>}
              {subjects.length > NAMED && ` and ${subjects.length - NAMED} more`}
            </List.Item>
          );
        })}
      </List>
    </Section>
  );
}

/** How the connection stands now, which may be better than when the run looked. */
interface Now {
  settings: Settings;
  skus: Set<string>;
  methods: Schemas['ShipMethodRow'][];
  /** The account's own, once they are read. */
  shipMethods: Choice[] | undefined;
  statuses: Choice[] | undefined;
}

function useNow(connection: string): Now | null {
  const params = { path: { connection } };
  const detail = useQuery(reading('/api/v1/connections/{connection}', params)).data;
  const mappings = useQuery(reading('/api/v1/connections/{connection}/mappings', params)).data;
  const choices = useQuery(choicesOf(connection)).data;
  if (!detail || !mappings) return null;
  return {
    settings: detail.settings,
    skus: new Set((mappings.listings ?? []).map((pair) => pair[0] ?? '')),
    methods: mappings.ship_methods ?? [],
    shipMethods: choices?.ship_methods,
    statuses: choices?.statuses,
  };
}

const named = (choices: Choice[] | undefined, name: string) =>
  choices?.find((choice) => choice.name === name || String(choice.id) === name);
const isSame = (ref: Schemas['NameOrId'], choice: Choice) => ref === choice.id || ref === choice.name;

function isMended({ kind, subject }: Cause, now: Now): boolean {
  if (kind === 'unknown_sku') return now.skus.has(subject) || now.settings.unmapped_sku === 'pass_through';
  if (kind === 'ship_method') {
    const method = named(now.shipMethods, subject);
    return Boolean(now.settings.default_ship_method) || now.methods.some((row) => method !== undefined && isSame(row.source, method));
  }
  if (kind === 'status') {
    const status = named(now.statuses, subject);
    return status !== undefined && (now.settings.import_statuses ?? []).some((ref) => isSame(ref, status));
  }
  return false;
}

/** The button that mends a cause where one sees it, or the way to the page that does. */
function Mend({ connection, cause, now }: { connection: string; cause: Cause; now: Now }) {
  const { administers } = useRights();
  const method = named(now.shipMethods, cause.subject);
  const status = named(now.statuses, cause.subject);
  if (cause.kind === 'unknown_sku') return <MapSku connection={connection} sku={cause.subject} then="Run it again to see what is left." />;
  if ((cause.kind === 'ship_method' || cause.kind === 'status') && !now.statuses) return null;
  if (cause.kind === 'ship_method' && method) {
    return <MapMethod connection={connection} method={cause.subject} then="Run it again to see what is left." />;
  }
  if (cause.kind === 'status' && status && administers) {
    return <AddStatus connection={connection} status={status} settings={now.settings} />;
  }
  if (cause.kind === 'kit') return <To href={`/connections/${connection}/mappings`} size="sm">To the kits</To>;
  if (administers && ['ship_method', 'warehouse', 'channel', 'order_date', 'no_note'].includes(cause.kind)) {
    return <To href={`/connections/${connection}/settings`} size="sm">To the settings</To>;
  }
  return null;
}

function AddStatus({ connection, status, settings }: { connection: string; status: Choice; settings: Settings }) {
  return (
    <Action
      size="xs"
      label="Import from this status too"
      confirm="Import from it"
      said={`“${status.name}” is imported from. Run it again to see what is left.`}
      explains={`Orders with the status “${status.name}” are then sent to the warehouse as well, once the connection is on.`}
      run={() =>
        done(
          api.PUT('/api/v1/connections/{connection}/settings', {
            params: { path: { connection } },
            body: { ...settings, import_statuses: [...(settings.import_statuses ?? []), status.id] },
          }),
        )
      }
    />
  );
}
