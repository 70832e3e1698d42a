import { PasswordInput, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { api, done, reading, setCsrf, setProofAsker } from '../api/client';
import type { Problem } from '../api/problem';
import { useSession, type Session } from '../api/session';
import { FormDialog } from '../parts/dialog';

/** Asks for the password once more when a change wants it, then lets the change go on. */
export function ProofDialog() {
  const client = useQueryClient();
  const { person } = useSession();
  const [opened, setOpened] = useState(false);
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const answer = useRef<((given: boolean) => void)[]>([]);
  const settle = useCallback((given: boolean) => {
    for (const told of answer.current) told(given);
    answer.current = [];
    setOpened(false);
    setPassword('');
    setCode('');
  }, []);
  useEffect(() => {
    setProofAsker(() => {
      setOpened(true);
      return new Promise((resolve) => answer.current.push(resolve));
    });
    return () => setProofAsker(() => Promise.resolve(false));
  }, []);
  const prove = useMutation<Session, Problem>({
    mutationFn: () => done(api.POST('/api/v1/session/proof', { body: { password, ...(code ? { code } : {}) } })),
    onSuccess: (session) => {
      setCsrf(session.csrf);
      client.setQueryData(reading('/api/v1/session').queryKey, session);
      settle(true);
    },
  });
  const wantsCode = person.second_factor || prove.error?.kind === 'second_factor_needed';
  return (
    <FormDialog
      opened={opened}
      close={() => settle(false)}
      title="Your password once more"
      zIndex={400}
      submit={() => prove.mutate()}
      label="Go on"
      busy={prove.isPending}
      error={prove.error?.kind === 'second_factor_needed' ? null : prove.error}
    >
      <Text size="sm">This needs it, so that an unlocked screen is not enough. It holds for ten minutes.</Text>
      <PasswordInput
        label="Password"
        autoComplete="current-password"
        required
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        data-autofocus
      />
      {wantsCode && (
        <TextInput
          label="Code of your authenticator app"
          autoComplete="one-time-code"
          required
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
      )}
    </FormDialog>
  );
}
