import { Anchor, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { api, done, reading, setCsrf } from '../api/client';
import { problemOf, type Problem } from '../api/problem';
import type { Session } from '../api/session';
import { rememberTenant, tenantOf } from '../api/tenant';
import { ProblemNote } from '../parts/notes';
import { target } from '../parts/link';
import { Door } from '../shell/door';
import { ProviderSignIn } from './provider-sign-in';

interface Entered {
  email: string;
  password: string;
  code?: string;
  /** The tenant that is meant now; where none is said, the one that was meant before. */
  tenant?: string;
}

/** Signs in and remembers what the answer says. */
export async function signIn(entered: Entered): Promise<Session> {
  const { tenant = tenantOf(entered.email), ...rest } = entered;
  const session = await done(api.POST('/api/v1/session', { body: tenant ? { ...rest, tenant } : rest }));
  setCsrf(session.csrf);
  if (entered.tenant !== undefined) rememberTenant(entered.email, entered.tenant);
  return session;
}

/**
 * Signs in by the link of `millrace demo`. No other program has this address, so nobody is signed in elsewhere by a link that
 * somebody sent them.
 */
async function signInToDemo(token: string): Promise<Session> {
  const answer = await fetch('/sign-in/demo', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  if (!answer.ok) throw problemOf(undefined, answer.status);
  const session = (await answer.json()) as Session;
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
  // `millrace demo` prints a link that signs in once, and fills in what it made.
  const [filled] = useState(() => new URLSearchParams(location.hash.slice(1)));
  const [email, setEmail] = useState(filled.get('email') ?? '');
  const [password, setPassword] = useState(filled.get('password') ?? '');
  const [code, setCode] = useState('');
  const comeIn = (session: Session) => {
    client.clear();
    client.setQueryData(reading('/api/v1/session').queryKey, session);
    void navigate(target(inside(search.to)));
  };
  const attempt = useMutation<Session, Problem, Entered>({
    mutationFn: signIn,
    onSuccess: comeIn,
  });
  const demo = useMutation<Session, Problem, string>({
    mutationFn: signInToDemo,
    onSuccess: comeIn,
  });
  const arrive = demo.mutate;
  const tried = useRef('');
  // Another such link, opened while the page is there, changes only what stands behind the #.
  useEffect(() => {
    const use = () => {
      const given = new URLSearchParams(location.hash.slice(1));
      setEmail((before) => given.get('email') ?? before);
      setPassword((before) => given.get('password') ?? before);
      const token = given.get('demo') ?? '';
      // Where it was used before, or has ended, the form is there, filled in.
      if (token !== '' && token !== tried.current) {
        tried.current = token;
        arrive(token);
      }
    };
    use();
    window.addEventListener('hashchange', use);
    return () => window.removeEventListener('hashchange', use);
  }, [arrive]);
  const wantsCode = attempt.error?.kind === 'second_factor_needed' || code !== '';
  const refused = attempt.error && attempt.error.kind !== 'second_factor_needed';
  return (
    <Door title="Sign in">
      {filled.get('left') === 'unheard' && (
        <Text size="sm" mb="md">
          Millrace did not answer, so your session is not over there: it ends by itself within an hour, or sign out again when
          it answers. This browser has forgotten what it showed.
        </Text>
      )}
      <ProviderSignIn onSession={comeIn} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const tenant = filled.get('tenant');
          attempt.mutate({ email, password, ...(code ? { code } : {}), ...(tenant === null ? {} : { tenant }) });
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
          {refused && tenantOf(email) !== undefined && (
            <Text size="sm">
              In this browser you are signed in where a link let you in last.{' '}
              <Anchor
                component="button"
                type="button"
                size="sm"
                onClick={() => {
                  rememberTenant(email, '');
                  attempt.reset();
                }}
              >
                Forget that
              </Anchor>
              , and try again.
            </Text>
          )}
          <Button type="submit" loading={attempt.isPending || demo.isPending}>
            Sign in
          </Button>
        </Stack>
      </form>
    </Door>
  );
}
