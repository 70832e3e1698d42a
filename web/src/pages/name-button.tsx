import { Button, TextInput, type ButtonProps } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState } from 'react';
import { useAct } from '../parts/act';
import { FormDialog } from '../parts/dialog';
import { useFaults } from '../parts/faults';

interface Props<Result> extends Omit<ButtonProps, 'children'> {
  /** What stands on the button. */
  label: string;
  /** The button's name for those who do not see where it stands, where several such buttons are on a page. */
  called?: string;
  title: string;
  field: string;
  description?: string;
  /** The word at the end of the dialog. */
  end: string;
  /** The name it has now, which is no answer. */
  from?: string;
  run: (name: string) => Promise<Result>;
  then?: (result: Result) => void;
}

/** A button that asks for a name, and makes or changes something with it. */
export function NameButton<Result>(props: Props<Result>) {
  const { label, called, title, field, description, end, from = '', run, then, ...button } = props;
  const [opened, dialog] = useDisclosure(false);
  const [name, setName] = useState(from);
  const given = name.trim();
  const act = useAct(
    () => run(given),
    (result) => {
      dialog.close();
      then?.(result);
    },
  );
  const faults = useFaults(act.error);
  const start = () => {
    act.reset();
    setName(from);
    dialog.open();
  };
  return (
    <>
      <Button {...button} aria-label={called} onClick={start}>
        {label}
      </Button>
      <FormDialog
        opened={opened}
        close={dialog.close}
        title={title}
        submit={() => act.mutate()}
        label={end}
        busy={act.isPending}
        disabled={given === '' || given === from}
        error={act.error}
        faults={faults}
      >
        <TextInput
          label={field}
          description={description}
          required
          maxLength={100}
          data-autofocus
          value={name}
          error={faults.at('name', name)}
          onChange={(event) => setName(event.currentTarget.value)}
        />
      </FormDialog>
    </>
  );
}

interface RenameProps extends Omit<ButtonProps, 'children'> {
  /** What it is called now. */
  name: string;
  /** What it is, in a word: `merchant`. */
  what: string;
  run: (name: string) => Promise<unknown>;
}

/** Gives something another name. */
export function Rename({ name, what, run, ...button }: RenameProps) {
  return (
    <NameButton
      variant="default"
      size="sm"
      {...button}
      label="Rename"
      called={`Rename ${name}`}
      title={`Rename ${name}`}
      field={`Name of the ${what}`}
      description="It is called so everywhere from now on, and its history stays with it."
      end="Rename"
      from={name}
      run={run}
    />
  );
}
