import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { api, done, reading, setCsrf } from '../api/client';
import type { Problem } from '../api/problem';
import type { Session } from '../api/session';
import { ProblemNote } from '../parts/notes';
import { target } from '../parts/link';
import { Door } from '../shell/door';
import { ProviderSignIn } from './provider-sign-in';

interface Entered {
  email: string;
  password: string;
  code?: string;
}

/** Signs in and remembers what the answer says. */
export async function signIn(entered: Entered): Promise<Session> {
  const session = await done(api.POST('/api/v1/session', { body: entered }));
  setCsrf(session.csrf);
  return session;
}

/** Only a page of the app itself is gone to after signing in. */
function inside(to: unknown): string {
  return typeof to === 'string' && /^\/(?![/\\])/.test(to) ? to : '/';
}

export function SignIn() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const search: { to?: unknown } = useSearch({ strict: false });
  // `millrace demo` prints a link that fills in what it just made. It signs nobody in: that takes the button.
  const [filled] = useState(() => new URLSearchParams(location.hash.slice(1)));
  const [email, setEmail] = useState(filled.get('email') ?? '');
  const [password, setPassword] = useState(filled.get('password') ?? '');
  const [code, setCode] = useState('');
  // Another such link, opened while the page is there, changes only what stands behind the #.
  useEffect(() => {
    const refill = () => {
      const given = new URLSearchParams(location.hash.slice(1));
      setEmail((before) => given.get('email') ?? before);
      setPassword((before) => given.get('password') ?? before);
    };
    window.addEventListener('hashchange', refill);
    return () => window.removeEventListener('hashchange', refill);
  }, []);
  const comeIn = (session: Session) => {
    client.clear();
    client.setQueryData(reading('/api/v1/session').queryKey, session);
    void navigate(target(inside(search.to)));
  };
  const attempt = useMutation<Session, Problem, Entered>({
    mutationFn: signIn,
    onSuccess: comeIn,
  });
  const wantsCode = attempt.error?.kind === 'second_factor_needed' || code !== '';
  const refused = attempt.error && attempt.error.kind !== 'second_factor_needed';
  return (
    <Door title="Sign in">
      <ProviderSignIn onSession={comeIn} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          attempt.mutate({ email, password, ...(code ? { code } : {}) });
        }}
      >
        <Stack>
          <TextInput
            label="E-mail address"
            type="email"
            autoComplete="username"
            required
            withAsterisk={false}
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {wantsCode && (
            <TextInput
              label="Code"
              description="The present code of your authenticator app, or one of your recovery codes."
              autoComplete="one-time-code"
              autoFocus
              required
              withAsterisk={false}
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
          )}
          {refused && <ProblemNote error={attempt.error} />}
          <Button type="submit" loading={attempt.isPending}>
            Sign in
          </Button>
        </Stack>
      </form>
    </Door>
  );
}
