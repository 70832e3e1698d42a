import { MultiSelect } from '@mantine/core';

/** The areas that a key can be limited to: the tags of the API's routes, as people call them. */
const AREAS: [area: string, title: string][] = [
  ['orders', 'Orders'],
  ['shipments', 'Shipments'],
  ['stock', 'Stock'],
  ['exceptions', 'Exceptions'],
  ['effects', 'Changes at remote systems'],
  ['census', 'Census and doctor'],
  ['connections', 'Connections, stores, warehouses, mappings'],
  ['preflight', 'Pre-flight'],
  ['configuration', 'Configuration as a file'],
  ['alerts', 'Alerts'],
  ['webhooks', 'Webhooks'],
  ['events', 'Live events'],
  ['exports', 'Exports'],
  ['activity', 'Overview, audit, budget'],
  ['people', 'People'],
  ['keys', 'Keys'],
  ['safety', 'Safety and backups'],
  ['tenants', 'Tenants'],
];

function titleOf(scope: string): string {
  const [area, verb] = scope.split(':');
  const title = AREAS.find(([name]) => name === area)?.[1] ?? area;
  return `${title}: ${verb === 'write' ? 'change' : 'look'}`;
}

/** What a key is limited to, in words. */
export function scopeWords(scopes: string[]): string {
  return scopes.length === 0 ? 'All' : scopes.map(titleOf).join(' · ');
}

/** What a new key is limited to. One that may only look is offered nothing that changes. */
export function ScopesInput(props: { looksOnly: boolean; value: string[]; change: (scopes: string[]) => void }) {
  const { looksOnly, value, change } = props;
  const verbs = looksOnly ? ['read'] : ['read', 'write'];
  return (
    <MultiSelect
      label="Only these parts of the API"
      description="Whoever may change a part may look at it, too. Empty: all of them."
      placeholder={value.length === 0 ? 'All' : ''}
      searchable
      clearable
      data={AREAS.flatMap(([area]) => verbs.map((verb) => ({ value: `${area}:${verb}`, label: titleOf(`${area}:${verb}`) })))}
      value={value}
      onChange={change}
      clearButtonProps={{ 'aria-label': 'All parts of the API' }}
    />
  );
}
