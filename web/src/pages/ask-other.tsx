import { Button, Stack } from '@mantine/core';
import { api, done } from '../api/client';
import { useAct } from '../parts/act';
import { ProblemNote } from '../parts/notes';
import { Once } from './secret';

/** Makes a link through which somebody without an account enters a store's credentials, once. */
export function AskOther({ store }: { store: string }) {
  const ask = useAct(() => done(api.POST('/api/v1/hand-offs', { body: { store } })));
  return (
    <Stack gap="xs" align="flex-start">
      {ask.error && <ProblemNote error={ask.error} />}
      {ask.data ? (
        <Once title="Send this link to whoever has the credentials" secret={ask.data.link}>
          It opens a page where they are entered, tested and saved, without an account. It works once, within seven days.
        </Once>
      ) : (
        <Button variant="subtle" size="compact-sm" loading={ask.isPending} onClick={() => ask.mutate()}>
          Ask somebody else for them
        </Button>
      )}
    </Stack>
  );
}
