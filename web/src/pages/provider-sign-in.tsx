import { Alert, Button, Divider, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, done, reading, setCsrf } from '../api/client';
import type { Problem } from '../api/problem';
import type { Session } from '../api/session';
import { ProblemNote } from '../parts/notes';

/** What coming back from the identity provider came to: it stands behind `#`, where the program put it. */
const came: Record<string, string> = {
  refused:
    'The identity provider names nobody who may sign in here. Use the address you were invited with, or ask an administrator.',
  ended: 'That sign-in was begun in another browser, is over, or was used. Begin again.',
  cancelled: 'Nobody signed in at the identity provider. Begin again when you want to.',
  failed: 'The identity provider did not answer as it must. Try again, or use your password; the log says more.',
};

/** Signing in at the identity provider, where the operator has set one up. */
export function ProviderSignIn({ onSession }: { onSession: (session: Session) => void }) {
  const provider = useQuery(reading('/api/v1/session/provider'));
  const [outcome] = useState(() => new URLSearchParams(location.hash.slice(1)).get('provider') ?? '');
  const [code, setCode] = useState('');
  const begin = useMutation<string, Problem>({
    mutationFn: async () => (await done(api.POST('/api/v1/session/provider', { body: {} }))).address,
    onSuccess: (address) => location.assign(address),
  });
  const finish = useMutation<Session, Problem, string>({
    mutationFn: async (entered) => {
      const session = await done(api.POST('/api/v1/session/provider/code', { body: { code: entered } }));
      setCsrf(session.csrf);
      return session;
    },
    onSuccess: onSession,
  });
  if (!provider.data?.configured) return null;
  const told = came[outcome];
  return (
    <Stack mb="md">
      {told && (
        <Alert color="red" variant="light" role="alert">
          {told}
        </Alert>
      )}
      {outcome === 'code' ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            finish.mutate(code);
          }}
        >
          <Stack>
            <TextInput
              label="Code"
              description="The present code of your authenticator app, or one of your recovery codes."
              autoComplete="one-time-code"
              autoFocus
              required
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
            {finish.error && <ProblemNote error={finish.error} />}
            <Button type="submit" loading={finish.isPending}>
              Go on
            </Button>
          </Stack>
        </form>
      ) : (
        <>
          {begin.error && <ProblemNote error={begin.error} />}
          <Button variant="default" loading={begin.isPending} onClick={() => begin.mutate()}>
            Sign in with {provider.data.name}
          </Button>
        </>
      )}
      <Divider label="or with your password" />
    </Stack>
  );
}
