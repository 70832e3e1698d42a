import { Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { api, done, paging, type Schemas } from '../api/client';
import { useRights, useSession } from '../api/session';
import { Action } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { EmptyNote } from '../parts/notes';
import { Page } from '../parts/page';
import { DataTable } from '../parts/table';
import { Time } from '../parts/values';
import { NameButton } from './name-button';
import { Once } from './secret';

type Tenant = Schemas['TenantOut'];

/** A link that lets the first administrator of a tenant in. */
interface Entry {
  tenant: string;
  link: string;
}

/** The organisations that use this installation; for whoever administers it. */
export function Tenants() {
  const { installation } = useRights();
  const [entry, setEntry] = useState<Entry | null>(null);
  if (!installation) {
    return (
      <Page title="Tenants">
        <EmptyNote title="Tenants are the operator's">
          Only administrators of the whole installation see and make them. Ask one of them.
        </EmptyNote>
      </Page>
    );
  }
  return (
    <Page
      title="Tenants"
      about="The organisations that use this installation. Each has its own people, merchants and connections, and sees nothing of another."
      actions={<NewTenant made={setEntry} />}
    >
      {entry && (
        <Once title={`The link for the first administrator of ${entry.tenant}`} secret={entry.link}>
          Give it to that person yourself: it is not sent by e-mail. It works once, within 24 hours, and is shown this once.
        </Once>
      )}
      <DataTable<Tenant>
        of={paging('/api/v1/tenants', { query: { limit: 50 } })}
        label="Tenants"
        id={(tenant) => tenant.id}
        columns={[
          { title: 'Tenant', show: (tenant) => tenant.name },
          {
            title: 'State',
            show: (tenant) =>
              tenant.disabled_at ? (
                <StateBadge state="off" label="Disabled" />
              ) : tenant.people === 0 ? (
                <StateBadge state="waiting" label="Nobody has come in yet" />
              ) : (
                <StateBadge state="on" label="Works" />
              ),
          },
          { title: 'People', figure: true, show: (tenant) => tenant.people },
          { title: 'Made', show: (tenant) => <Time at={tenant.created_at} />, wide: true },
          { title: 'Do', show: (tenant) => <Deeds tenant={tenant} made={setEntry} /> },
        ]}
        empty={
          <EmptyNote title="No tenant yet">
            Press Make a tenant: it stands here with its people, and its first administrator comes in by a link that is shown once.
          </EmptyNote>
        }
      />
    </Page>
  );
}

function Deeds({ tenant, made }: { tenant: Tenant; made: (entry: Entry) => void }) {
  const { tenant: own } = useSession();
  const params = { path: { tenant: tenant.id } };
  if (tenant.disabled_at) {
    return (
      <Action
        size="xs"
        label="Enable"
        about={tenant.name}
        explains={`${tenant.name} goes on where it stopped. Its people sign in again.`}
        run={() => done(api.POST('/api/v1/tenants/{tenant}/enable', { params }))}
      />
    );
  }
  return (
    <Stack gap={4}>
      <Group gap="xs">
        {tenant.people === 0 && (
          <Action
            size="xs"
            label="New link"
            about={`for ${tenant.name}`}
            explains="Another link for the first administrator is made. The one before opens nothing any more."
            confirm="Make the link"
            run={async () => {
              const { link } = await done(api.POST('/api/v1/tenants/{tenant}/set-up', { params }));
              made({ tenant: tenant.name, link });
            }}
          />
        )}
        <Action
          size="xs"
          label="Disable"
          about={tenant.name}
          danger
          disabled={tenant.id === own}
          explains={`The connections, webhooks and alerts of ${tenant.name} stop, its people, keys and links let nobody in, and its sessions end. Its data stays, and it can be enabled again.`}
          run={() => done(api.POST('/api/v1/tenants/{tenant}/disable', { params }))}
        />
      </Group>
      {tenant.id === own && (
        <Text size="xs" className="quiet">
          You administer the installation from it.
        </Text>
      )}
    </Stack>
  );
}

function NewTenant({ made }: { made: (entry: Entry) => void }) {
  return (
    <NameButton
      label="Make a tenant"
      title="Make a tenant"
      field="Name"
      description="The organisation's, as people call it. Unique in this installation."
      end="Make it"
      run={(name) => done(api.POST('/api/v1/tenants', { body: { name } }))}
      then={({ tenant, link }) => made({ tenant: tenant.name, link: link.link })}
    />
  );
}
