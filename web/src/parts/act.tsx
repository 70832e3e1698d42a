import { Button, Stack, Text, Textarea, type ButtonProps } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { problemFrom, sentence, type Problem } from '../api/problem';
import { reread } from '../api/reread';
import { FormDialog } from './dialog';
import { useFaults } from './faults';
import { MendButton } from './mend';

/** Says that something went well, where nothing else on the page does. */
export function say(message: string): void {
  notifications.show({ message, color: 'teal' });
}

/** Says what went wrong of something that has no place of its own on the page, and leads to where it is mended. */
export function complain(error: unknown): void {
  const problem = problemFrom(error);
  const { told } = problem;
  notifications.show({
    title: told.title,
    message: (
      <Stack gap="xs" align="flex-start">
        <Text size="sm" className="breaks">
          {sentence(told.detail)} {told.remedy}
        </Text>
        <MendButton problem={problem} retry={undefined} />
      </Stack>
    ),
    color: 'red',
    autoClose: 12_000,
  });
}

/**
 * A change. Whatever it comes to, everything that is shown is read again. With a key, one that goes on is found by other parts of
 * the app.
 */
export function useAct<Given = void, Result = unknown>(
  run: (given: Given) => Promise<Result>,
  then?: (result: Result) => void,
  key?: string[],
) {
  const client = useQueryClient();
  return useMutation<Result, Problem, Given>({
    ...(key ? { mutationKey: key } : {}),
    mutationFn: run,
    onSuccess: then,
    onSettled: () => reread(client),
  });
}

interface ActionProps extends Omit<ButtonProps, 'children'> {
  label: string;
  /** What it is done to, where several such buttons stand on a page: part of its name for those who do not see where it stands. */
  about?: string;
  /** What it does, in words; without it and without a reason nothing is asked first. */
  explains?: ReactNode;
  /** Asks why; the answer is kept in the audit trail. */
  wantsReason?: boolean;
  /** Words of the button that does it, where the label alone would not say enough. */
  confirm?: string;
  danger?: boolean;
  /** Told when it went well. */
  said?: string;
  run: (reason: string) => Promise<unknown>;
  then?: (() => void) | undefined;
}

/** A button that changes something: says what, asks why where that is kept, shows what went wrong. */
export function Action(props: ActionProps) {
  const { label, about, explains, wantsReason = false, confirm, danger = false, said, run, then, ...button } = props;
  const asks = wantsReason || explains !== undefined;
  const [opened, dialog] = useDisclosure(false);
  const [reason, setReason] = useState('');
  const act = useAct(run, () => {
    dialog.close();
    setReason('');
    if (said) say(said);
    then?.();
  });
  const faults = useFaults(act.error);
  const start = () => {
    act.reset();
    if (asks) dialog.open();
    else act.mutate('', { onError: complain });
  };
  return (
    <>
      <Button variant="default" size="sm" {...button} loading={!asks && act.isPending} onClick={start} aria-label={about && `${label} ${about}`}>
        {label}
      </Button>
      <FormDialog
        opened={opened}
        close={dialog.close}
        title={about ? `${label} ${about}` : label}
        submit={() => act.mutate(reason.trim())}
        label={confirm ?? label}
        busy={act.isPending}
        danger={danger}
        error={act.error}
        faults={faults}
      >
        {typeof explains === 'string' ? <Text size="sm">{explains}</Text> : explains}
        {wantsReason && (
          <Textarea
            label="Reason"
            description="In a few words; kept in the audit trail."
            value={reason}
            error={faults.at('reason', reason)}
            onChange={(event) => setReason(event.currentTarget.value)}
            required
            autosize
            minRows={2}
            data-autofocus
          />
        )}
      </FormDialog>
    </>
  );
}
