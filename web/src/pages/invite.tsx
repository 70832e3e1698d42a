import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api, done, type Schemas } from '../api/client';
import { sentence } from '../api/problem';
import { useAct } from '../parts/act';
import { FormDialog } from '../parts/dialog';
import { useFaults } from '../parts/faults';
import { To } from '../parts/link';
import { RightsFields, type Rights } from './rights-fields';
import { Once } from './secret';

/** The link of an invitation that was just made: whether the person has it already, and what to do where they do not. */
export function Invited({ invitation: { link, sent_to: to, not_sent: problem } }: { invitation: Schemas['LinkOut'] }) {
  if (to) {
    return (
      <Once title={`The invitation was sent to ${to}`} color="teal" secret={link}>
        Nothing is left to do. Should the e-mail not arrive, give them this link, which is the same: it works once, within seven days, and is shown this once.
      </Once>
    );
  }
  if (problem) {
    return (
      <Once title="The invitation was made, and could not be sent" color="red" secret={link}>
        {sentence(problem)} It works once, within seven days, and is shown this once. Under{' '}
        <To href="/alerts" c="inherit" underline="always">
          Alerts
        </To>
        , Try it on an e-mail channel says whether the next one would be sent; the mail server is the operator's to mend (--smtp, --mail-from, the password).
      </Once>
    );
  }
  return (
    <Once title="The invitation's link" secret={link}>
      Give this link to the person yourself. It works once, within seven days, and is shown this once. Millrace sends invitations itself once its operator has given it a mail server and a public address (--smtp, --mail-from, --public-url).
    </Once>
  );
}

/** Asks who is invited, and makes the link by which they come in. */
export function Invite({ made }: { made: (invitation: Schemas['LinkOut']) => void }) {
  const [opened, setOpened] = useState(false);
  const [email, setEmail] = useState('');
  const [name, setName] = useState('');
  const [rights, setRights] = useState<Rights>({ role: 'merchant', merchants: [] });
  const invite = useAct(
    () => done(api.POST('/api/v1/invitations', { body: { email: email.trim(), name: name.trim(), ...rights } })),
    (answer) => {
      setOpened(false);
      setEmail('');
      setName('');
      made(answer);
    },
  );
  const faults = useFaults(invite.error);
  return (
    <>
      <Button onClick={() => setOpened(true)}>Invite a person</Button>
      <FormDialog
        opened={opened}
        close={() => setOpened(false)}
        title="Invite a person"
        starred
        submit={() => invite.mutate()}
        label="Make the link"
        busy={invite.isPending}
        error={invite.error}
        faults={faults}
      >
        <TextInput
          label="E-mail address"
          type="email"
          required
          value={email}
          error={faults.at('email', email)}
          onChange={(event) => setEmail(event.currentTarget.value)}
          data-autofocus
        />
        <TextInput
          label="Name"
          required
          value={name}
          error={faults.at('name', name)}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <RightsFields faults={faults} rights={rights} change={setRights} />
      </FormDialog>
    </>
  );
}
