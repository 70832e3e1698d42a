import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, done, reading, type Schemas } from '../api/client';
import { Problem } from '../api/problem';
import { rememberTenant } from '../api/tenant';
import { useFaults } from '../parts/faults';
import { ProblemNote, Waiting } from '../parts/notes';
import { To } from '../parts/link';
import { Starred } from '../parts/starred';
import { Time } from '../parts/values';
import { Door } from '../shell/door';
import { signIn } from './sign-in';

type About = Schemas['LinkAboutOut'];

/** What the link's page says, by what it is for. */
const TITLES: Record<string, { title: string; about: string; button: string }> = {
  setup: {
    title: 'Set up Millrace',
    about: 'You will be the first administrator: choose what you sign in with.',
    button: 'Create the administrator',
  },
  invitation: { title: 'Welcome to Millrace', about: 'You were invited: choose your password.', button: 'Begin' },
  reset: { title: 'Choose a new password', about: 'Every session you have open will end.', button: 'Set the password' },
};

/** The page behind every link that is used once. Its token stands behind `#`, which browsers do not send. */
export function UseLink() {
  const [token] = useState(() => location.hash.slice(1));
  const about = useQuery<About, Problem>({
    queryKey: ['link', token],
    queryFn: () => done(api.POST('/api/v1/links/describe', { body: { token } })),
    staleTime: Infinity,
  });
  if (about.error) {
    return (
      <Door title="This link does not open">
        <ProblemNote error={about.error} />
        <To href="/sign-in">Sign in instead</To>
      </Door>
    );
  }
  if (!about.data) return <Waiting what="Looking at the link" />;
  return <Redeem token={token} about={about.data} />;
}

function Redeem({ token, about }: { token: string; about: About }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [email, setEmail] = useState(about.email);
  const [name, setName] = useState(about.name);
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const texts = TITLES[about.kind] ?? { title: 'Use this link', about: '', button: 'Go on' };
  const asksWho = about.kind === 'setup';
  const asksName = about.kind !== 'reset';
  const use = useMutation<void, Problem>({
    mutationFn: async () => {
      const body = { token, password, ...(asksWho ? { email } : {}), ...(asksName ? { name } : {}) };
      const used = await done(api.POST('/api/v1/links/redeem', { body }));
      try {
        rememberTenant(used.email, used.tenant);
        const session = await signIn({ email: used.email, password });
        client.setQueryData(reading('/api/v1/session').queryKey, session);
        await navigate({ to: '/' });
      } catch {
        // A second factor is still asked for, on its page.
        await navigate({ to: '/sign-in', hash: `email=${encodeURIComponent(used.email)}` });
      }
    },
  });
  const faults = useFaults(use.error);
  const differs = again !== '' && again !== password;
  return (
    <Door title={texts.title} about={texts.about}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (again === password) use.mutate();
        }}
      >
        <Stack>
          <Starred />
          {asksWho ? (
            <TextInput
              label="E-mail address"
              description="You sign in with it. Millrace sends nothing there by itself."
              type="email"
              autoComplete="username"
              required
              value={email}
              error={faults.at('email', email)}
              onChange={(event) => setEmail(event.currentTarget.value)}
            />
          ) : (
            <Text size="sm">
              You sign in as <b>{about.email}</b>.
            </Text>
          )}
          {asksName && (
            <TextInput
              label="Your name"
              autoComplete="name"
              required
              value={name}
              error={faults.at('name', name)}
              onChange={(event) => setName(event.currentTarget.value)}
            />
          )}
          <PasswordInput
            label="Password"
            description="At least 15 characters, of any kind: a few words will do."
            autoComplete="new-password"
            minLength={15}
            required
            value={password}
            error={faults.at('password', password)}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <PasswordInput
            label="The same once more"
            autoComplete="new-password"
            required
            value={again}
            onChange={(event) => setAgain(event.currentTarget.value)}
            error={differs ? 'It is not the same.' : undefined}
          />
          {use.error && <ProblemNote error={use.error} faults={faults} />}
          <Button type="submit" loading={use.isPending}>
            {texts.button}
          </Button>
          <Text size="sm" className="quiet">
            The link works once, and ends <Time at={about.expires_at} />.
          </Text>
        </Stack>
      </form>
    </Door>
  );
}
