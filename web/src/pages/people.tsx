import { Button, Group, Paper, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, basis, done, filling, ifMatch, paging, reading, type Schemas } from '../api/client';
import { useNames } from '../api/names';
import { useSession } from '../api/session';
import { Action, say, useAct } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { useFaults } from '../parts/faults';
import { To } from '../parts/link';
import { EmptyNote, ProblemNote } from '../parts/notes';
import { Loaded, Page } from '../parts/page';
import { Section } from '../parts/section';
import { DataTable } from '../parts/table';
import { Code, Time, words } from '../parts/values';
import { Invite, Invited } from './invite';
import { RightsFields, ROLES, type Rights } from './rights-fields';
import { Once } from './secret';
import { SessionRows } from './session-rows';

type Person = Schemas['PersonOut'];

/** Whether people can also sign in at the organisation's identity provider, which only the operator sets up. */
function Provider() {
  const { data } = useQuery({ ...reading('/api/v1/session/provider'), staleTime: Infinity });
  if (!data) return null;
  return (
    <Section title="Identity provider">
      <Text size="sm" maw={720}>
        {data.configured
          ? `People who are listed above can also sign in with ${data.name ?? 'the identity provider'}: the first time by the address that it has verified, from then on by who they are there. It lets in nobody who was not invited.`
          : 'People sign in with a password of their own. A button for an OpenID Connect provider appears on the sign-in page once the operator has named one where Millrace is started: --oidc-issuer, --oidc-client-id and the client’s secret.'}
      </Text>
    </Section>
  );
}

/** Whom the operator asks for a second factor, in words. */
const ASKED = {
  optional: 'Nobody has to have one: each person may set one up, on the page of their account.',
  administrators:
    'Administrators have to have one. Who has none yet signs in and can set one up and do nothing else; the others may set one up.',
  everybody: 'Everybody has to have one. Who has none yet signs in and can set one up and do nothing else.',
};

/** Who has to have a second factor, which only the operator decides. */
function Demand() {
  const { second_factor_demand: demand } = useSession();
  return (
    <Section title="Second factor">
      <Text size="sm" maw={720}>
        {ASKED[demand]} The operator decides it where Millrace is started: <Code>serve --second-factor</Code> with{' '}
        <Code>optional</Code>, <Code>administrators</Code> or <Code>everybody</Code>. Keys are asked for none.
      </Text>
    </Section>
  );
}

/** Who may sign in, and who is invited. */
export function People() {
  const names = useNames();
  const [invitation, setInvitation] = useState<Schemas['LinkOut'] | null>(null);
  const limits = (merchants: string[] | null | undefined) => merchants?.map(names.merchant).join(', ') ?? 'All merchants';
  return (
    <Page title="People" actions={<Invite made={setInvitation} />}>
      {invitation && <Invited invitation={invitation} />}
      <DataTable<Person>
        of={paging('/api/v1/people', { query: { limit: 50 } })}
        label="People"
        id={(person) => person.id}
        columns={[
          { title: 'Name', show: (person) => <To href={`/people/${person.id}`}>{person.name}</To> },
          { title: 'E-mail', show: (person) => person.email },
          { title: 'Role', show: (person) => words(person.role) },
          { title: 'Of', show: (person) => limits(person.merchants), wide: true },
          { title: 'Second factor', show: (person) => (person.second_factor ? 'Yes' : 'No'), wide: true },
          { title: 'State', show: (person) => <StateBadge state={person.disabled ? 'off' : 'on'} label={person.disabled ? 'May not sign in' : 'May sign in'} /> },
        ]}
        empty={
          <EmptyNote title="Nobody is here yet">
            Press Invite a person: whoever has used the link that this makes stands here, with what they may do.
          </EmptyNote>
        }
      />
      <Section title="Invitations">
        <DataTable<Schemas['InvitationOut']>
          of={paging('/api/v1/invitations', { query: { limit: 20 } })}
          label="Invitations"
          id={(invitation) => invitation.id}
          columns={[
            { title: 'For', show: (one) => `${one.name} (${one.email})` },
            { title: 'Role', show: (one) => words(one.role) },
            { title: 'State', show: (one) => <StateBadge state={one.state} /> },
            { title: 'Ends', show: (one) => <Time at={one.expires_at} />, wide: true },
            {
              title: 'Do',
              show: (one) =>
                one.state === 'open' ? (
                  <Action
                    size="xs"
                    label="Withdraw"
                    about={one.email}
                    explains={`The link for ${one.email} opens nothing any more.`}
                    run={() => done(api.DELETE('/api/v1/invitations/{invitation}', { params: { path: { invitation: one.id } } }))}
                  />
                ) : (
                  '–'
                ),
            },
          ]}
          empty={
            <EmptyNote title="Nobody is invited">
              Press Invite a person: the invitation is listed here, and what became of it.
            </EmptyNote>
          }
        />
      </Section>
      <Demand />
      <Provider />
    </Page>
  );
}

/** One person: rights, password, second factor, sessions. */
export function PersonPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  return (
    <Loaded
      of={filling('/api/v1/people/{person}', { path: { person: id } })}
      page={{ title: 'Person', back: { href: '/people', title: 'People' } }}
    >
      {(person) => <Shown key={person.id} person={person} />}
    </Loaded>
  );
}

function Shown({ person }: { person: Person }) {
  const me = useSession().person.id === person.id;
  const [link, setLink] = useState<string | null>(null);
  const [rights, setRights] = useState<Rights>({
    role: ROLES.find((role) => role.value === person.role)?.value ?? 'merchant',
    merchants: person.merchants ?? [],
    installation: person.installation,
  });
  const params = { path: { person: person.id } };
  const [filled, setFilled] = useState(person);
  const save = useAct<void, Person>(
    () => {
      const header = ifMatch(basis(filled, person, ({ role, merchants, installation }) => [role, merchants, installation]));
      return done(api.PUT('/api/v1/people/{person}', { params: { ...params, header }, body: rights }));
    },
    (kept) => {
      setFilled(kept);
      say('It holds from the next request on.');
    },
  );
  const faults = useFaults(save.error);
  return (
    <Page
      title={person.name}
      back={{ href: '/people', title: 'People' }}
      about={person.email}
      badge={<StateBadge state={person.disabled ? 'off' : 'on'} label={person.disabled ? 'May not sign in' : 'May sign in'} />}
      actions={
        <>
          <Action
            label="New password"
            explains="A link is made by which the person chooses one. It works once, for 24 hours."
            confirm="Make the link"
            run={async () => setLink((await done(api.POST('/api/v1/people/{person}/reset', { params }))).link)}
          />
          {person.second_factor && (
            <Action
              label="Remove the second factor"
              danger
              explains="For somebody who lost the app and the recovery codes. Be sure that it is them who ask."
              run={() => done(api.DELETE('/api/v1/people/{person}/second-factor', { params }))}
            />
          )}
          {person.linked && (
            <Action
              label="Unlink from the provider"
              danger
              explains={`Who ${person.name} is at the identity provider is forgotten. The next time, the address that it has verified finds them anew.`}
              run={() => done(api.DELETE('/api/v1/people/{person}/provider', { params }))}
            />
          )}
          {person.disabled ? (
            <Action label="Let sign in again" run={() => done(api.POST('/api/v1/people/{person}/enable', { params }))} />
          ) : (
            !me && (
              <Action
                label="Let sign in no more"
                danger
                explains={`${person.name} is signed out everywhere at once, and cannot sign in until you allow it again.`}
                run={() => done(api.POST('/api/v1/people/{person}/disable', { params }))}
              />
            )
          )}
        </>
      }
    >
      {link && (
        <Once title="The link for a new password" secret={link}>
          Give this link to the person yourself: it is never sent by e-mail. It works once, within 24 hours, and is shown this once.
        </Once>
      )}
      <Section title="What they may do">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            save.mutate();
          }}
        >
          <Stack maw={460}>
            <RightsFields faults={faults} rights={rights} change={setRights} />
            {save.error && <ProblemNote error={save.error} faults={faults} />}
            <Group>
              <Button type="submit" loading={save.isPending}>
                Save
              </Button>
            </Group>
          </Stack>
        </form>
      </Section>
      <Section
        title="Sessions"
        actions={
          <Action
            size="xs"
            label="End all of them"
            explains={`${person.name} has to sign in again everywhere.`}
            run={() => done(api.DELETE('/api/v1/people/{person}/sessions', { params }))}
          />
        }
      >
        <Loaded of={reading('/api/v1/people/{person}/sessions', params)}>
          {(sessions) => (
            <Paper withBorder className="list">
              <SessionRows sessions={sessions} />
            </Paper>
          )}
        </Loaded>
      </Section>
    </Page>
  );
}
