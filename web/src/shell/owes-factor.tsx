import { Button, Group, Text } from '@mantine/core';
import { useSession } from '../api/session';
import { SecondFactor } from '../pages/account';
import { Door } from './door';
import { ProofDialog } from './proof';

/** What somebody sees who has to set up a second factor before anything else. */
export function OwesFactor({ leave, goOn }: { leave: () => void; goOn: () => void }) {
  const { person, second_factor_owed: owed } = useSession();
  return (
    <Door
      title="Set up a second factor first"
      about="This installation asks you for one: a code of an authenticator app on your phone, beside your password."
    >
      <Text size="sm">You are signed in as {person.email}.</Text>
      <SecondFactor />
      <Group>
        <Button disabled={owed} onClick={goOn}>
          Go on
        </Button>
        <Button variant="default" onClick={leave}>
          Sign out
        </Button>
      </Group>
      <ProofDialog />
    </Door>
  );
}
