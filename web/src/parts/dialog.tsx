import { Button, Group, Modal, Stack, type ModalProps } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Faults } from './faults';
import { ProblemNote } from './notes';
import { Starred } from './starred';

interface Props extends Pick<ModalProps, 'title' | 'size' | 'closeOnClickOutside' | 'zIndex'> {
  opened?: boolean;
  close: () => void;
  /** What its button says and does. */
  label: string;
  submit: () => void;
  busy?: boolean;
  danger?: boolean;
  disabled?: boolean;
  /** Says at its head what an asterisk means. */
  starred?: boolean;
  /** Why it was refused, and what of that its fields say themselves. */
  error?: unknown;
  faults?: Faults | undefined;
  /** Stands before its buttons. */
  beside?: ReactNode;
  children?: ReactNode;
}

/** Asks for something before it is done, and says at its end why it could not be: leave it, or do what the button says. */
export function FormDialog(props: Props) {
  const { opened = true, close, label, submit, busy = false, danger = false, disabled = false, starred = false, ...rest } = props;
  const { error, faults, beside, children, ...modal } = rest;
  return (
    <Modal opened={opened} onClose={close} centered {...modal}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Stack>
          {starred && <Starred />}
          {children}
          {error ? <ProblemNote error={error} {...(faults && { faults })} /> : null}
          <Group justify={beside === undefined ? 'flex-end' : 'space-between'}>
            {beside}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" color={danger ? 'red' : undefined} loading={busy} disabled={disabled}>
                {label}
              </Button>
            </Group>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
