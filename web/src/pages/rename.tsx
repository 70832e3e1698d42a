import { Button, Modal, Stack, TextInput, type ButtonProps } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState } from 'react';
import { DialogEnd, useAct } from '../parts/act';
import { ProblemNote } from '../parts/notes';

interface Props extends ButtonProps {
  /** What it is called now. */
  name: string;
  /** What it is, in a word: `merchant`. */
  what: string;
  run: (name: string) => Promise<unknown>;
}

/** Gives something another name. */
export function Rename({ name, what, run, ...button }: Props) {
  const [opened, dialog] = useDisclosure(false);
  const [given, setGiven] = useState(name);
  const act = useAct(() => run(given.trim()), dialog.close);
  const start = () => {
    act.reset();
    setGiven(name);
    dialog.open();
  };
  return (
    <>
      <Button variant="default" size="sm" {...button} aria-label={`Rename ${name}`} onClick={start}>
        Rename
      </Button>
      <Modal opened={opened} onClose={dialog.close} title={`Rename ${name}`} centered>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            act.mutate();
          }}
        >
          <Stack>
            <TextInput
              label={`Name of the ${what}`}
              description="It is called so everywhere from now on, and its history stays with it."
              required
              maxLength={100}
              data-autofocus
              value={given}
              onChange={(event) => setGiven(event.currentTarget.value)}
            />
            {act.error && <ProblemNote error={act.error} />}
            <DialogEnd close={dialog.close} label="Rename" busy={act.isPending} disabled={given.trim() === '' || given.trim() === name} />
          </Stack>
        </form>
      </Modal>
    </>
  );
}
