import { ActionIcon, AppShell, Burger, Group, Menu, NavLink, ScrollArea, Text, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Notifications } from '@mantine/notifications';
import IconSun from '@tabler/icons-react/dist/esm/icons/IconSunMoon.mjs';
import IconUser from '@tabler/icons-react/dist/esm/icons/IconUser.mjs';
import { useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { Link, Outlet, useLocation, useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState, type ReactNode } from 'react';
import { api, done, reading, setCsrf, setEndedListener } from '../api/client';
import { useLive } from '../api/live';
import { problemFrom } from '../api/problem';
import { SessionContext, useRights, useSession } from '../api/session';
import { forgetAll, hideAll, recall } from '../api/works';
import { complain } from '../parts/act';
import { useKeptFocus } from '../parts/focus';
import { ProblemNote, Waiting } from '../parts/notes';
import { Frozen } from './frozen';
import { ProofDialog } from './proof';

/** Loaded where it is needed: few ever see it. */
const OwesFactor = lazy(async () => ({ default: (await import('./owes-factor')).OwesFactor }));

interface Place {
  title: string;
  href: string;
  /** Shown to those who may use it. */
  who?: 'administers' | 'decides' | 'installation';
}

const PLACES: { title: string; places: Place[] }[] = [
  {
    title: 'Work',
    places: [
      { title: 'Overview', href: '/' },
      { title: 'Orders', href: '/orders' },
      { title: 'Shipments', href: '/shipments' },
      { title: 'Stock', href: '/stock' },
      { title: 'Exceptions', href: '/exceptions' },
      { title: 'Census', href: '/census' },
      { title: 'Findings', href: '/findings' },
      { title: 'Issues', href: '/issues' },
      { title: 'Activity', href: '/activity' },
    ],
  },
  {
    title: 'Set-up',
    places: [
      { title: 'Connections', href: '/connections' },
      { title: 'Mappings', href: '/mappings' },
      { title: 'Merchants', href: '/merchants', who: 'administers' },
      { title: 'Alerts', href: '/alerts', who: 'administers' },
      { title: 'Webhooks', href: '/webhooks', who: 'administers' },
      { title: 'Keys', href: '/keys', who: 'administers' },
      { title: 'People', href: '/people', who: 'administers' },
    ],
  },
  {
    title: 'Installation',
    places: [
      { title: 'API budget', href: '/budget', who: 'decides' },
      { title: 'Audit', href: '/audit', who: 'administers' },
      { title: 'Safety', href: '/safety', who: 'decides' },
      { title: 'Tenants', href: '/tenants', who: 'installation' },
    ],
  },
];

/** Everything inside: knows who is signed in, or sends to the sign-in page. */
export function Shell() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const session = useQuery({ ...reading('/api/v1/session'), staleTime: 60_000 });
  const out = session.error?.kind === 'unauthorised';
  useEffect(() => {
    setEndedListener(() => void client.invalidateQueries({ queryKey: ['/api/v1/session'] }));
    return () => setEndedListener(() => undefined);
  }, [client]);
  useEffect(() => {
    // Where one is now is not followed any further: that would lead from the sign-in page to itself.
    const { pathname, search } = window.location;
    if (out && pathname !== '/sign-in') {
      const left = navigate({ to: '/sign-in', search: pathname === '/' ? {} : { to: pathname + search }, replace: true });
      // Nothing of what was shown stays in view.
      void left.then(() => {
        client.clear();
        hideAll();
      });
    }
  }, [out, navigate, client]);
  const person = session.data?.person.id;
  useEffect(() => {
    if (person) recall(person);
  }, [person]);
  if (out) return null;
  if (session.data) {
    // Before anything below can send a change.
    setCsrf(session.data.csrf);
    return (
      <SessionContext.Provider value={session.data}>
        <Threshold>
          <Frame />
        </Threshold>
      </SessionContext.Provider>
    );
  }
  if (session.error) return <ProblemNote error={session.error} retry={() => void session.refetch()} />;
  return <Waiting />;
}

/** Lets in who owes no second factor. Who sets one up stays until the recovery codes are kept: they are shown once. */
function Threshold({ children }: { children: ReactNode }) {
  const { second_factor_owed: owed } = useSession();
  const [stays, setStays] = useState(owed);
  const leave = useLeave();
  useEffect(() => {
    if (owed) setStays(true);
  }, [owed]);
  if (!owed && !stays) return children;
  return (
    <Suspense fallback={<Waiting />}>
      <OwesFactor leave={() => void leave()} goOn={() => setStays(false)} />
    </Suspense>
  );
}

function Frame() {
  const client = useQueryClient();
  useLive(client);
  useKeptFocus();
  const [opened, menu] = useDisclosure(false);
  const { pathname } = useLocation();
  const close = menu.close;
  useEffect(close, [pathname, close]);
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 210, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding={{ base: 'sm', sm: 'lg' }}
    >
      <a href="#content" className="skip">
        To the content
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={opened} onClick={menu.toggle} hiddenFrom="sm" size="sm" aria-label="Menu" aria-expanded={opened} />
            <img src="/icon.svg" alt="" width={26} height={26} />
            <Text fw={700}>Millrace</Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Scheme />
            <Me />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar aria-label="Pages">
        <AppShell.Section grow component={ScrollArea} p="xs">
          <Places pathname={pathname} />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <Frozen />
        <Outlet />
      </AppShell.Main>
      <ProofDialog />
      {/* Here and not at the root: what they say may lead to a page. */}
      <Notifications position="bottom-right" />
    </AppShell>
  );
}

/** Pages of a connection that the menu leads to: there one is at these, and not at the connections. */
const OWN = /^\/connections\/[^/]+(\/mappings|\/census)$/;

function isAt(href: string, pathname: string): boolean {
  const at = OWN.exec(pathname)?.[1] ?? pathname;
  return href === '/' ? at === '/' : at.startsWith(href);
}

function Places({ pathname }: { pathname: string }) {
  const rights = useRights();
  return PLACES.map((group) => {
    const shown = group.places.filter((place) => !place.who || rights[place.who]);
    if (shown.length === 0) return null;
    return (
      <div key={group.title}>
        <Text size="xs" fw={600} className="quiet" px="sm" pt="sm" pb={2}>
          {group.title}
        </Text>
        {shown.map((place) => {
          const active = isAt(place.href, pathname);
          return (
            <NavLink
              key={place.href}
              label={place.title}
              active={active}
              aria-current={active ? 'page' : undefined}
              // Where one is, is said above: by its own measure a link is also current on every page below its address.
              renderRoot={(props) => <Link to={place.href} activeOptions={{ exact: true }} {...props} />}
            />
          );
        })}
      </div>
    );
  });
}

function Scheme() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const choices = [
    { value: 'light', title: 'Light' },
    { value: 'dark', title: 'Dark' },
    { value: 'auto', title: 'As the system' },
  ] as const;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Light or dark">
          <IconSun size={20} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {choices.map((choice) => (
          <Menu.Item key={choice.value} onClick={() => setColorScheme(choice.value)} fw={colorScheme === choice.value ? 700 : 400}>
            {choice.title}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

/** Signs out. */
function useLeave() {
  const client = useQueryClient();
  const navigate = useNavigate();
  return async () => {
    try {
      await done(api.DELETE('/api/v1/session'));
      await navigate({ to: '/sign-in' });
    } catch (error) {
      if (problemFrom(error).told.status > 0) {
        complain(error);
        return;
      }
      // Nobody answered: then at least this browser forgets, and says what it could not do.
      await navigate({ to: '/sign-in', hash: 'left=unheard' });
    }
    forget(client);
  };
}

/** Whoever comes next at this browser finds nothing of what was shown. */
function forget(client: QueryClient) {
  client.clear();
  forgetAll();
}

function Me() {
  const { person } = useSession();
  const leave = useLeave();
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="You">
          <IconUser size={20} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {person.name} · {person.email}
        </Menu.Label>
        <Menu.Item renderRoot={(props) => <Link to="/account" {...props} />}>Your account</Menu.Item>
        <Menu.Item onClick={() => void leave()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
