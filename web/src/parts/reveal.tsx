import { Collapse, UnstyledButton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useEffect, type ReactNode } from 'react';

interface Props {
  /** What the button says while the rest is hidden, and while it is shown. */
  show: string;
  hide: string;
  /** Something in it has to be seen: it opens, and stays so until somebody folds it away. */
  forced?: boolean;
  children: ReactNode;
}

/** Something that not everybody needs, behind a button. */
export function Reveal({ show, hide, forced = false, children }: Props) {
  const [opened, { toggle, open }] = useDisclosure(false);
  useEffect(() => {
    if (forced) open();
  }, [forced, open]);
  return (
    <>
      <UnstyledButton onClick={toggle} aria-expanded={opened} className="reveal">
        {opened ? hide : show}
      </UnstyledButton>
      {/*
        The browser goes to a field that is not filled in, and says so there: it cannot where that is folded away. What is folded is
        drawn at once all the same, so that the note at a form's end knows what its fields say.
      */}
      <Collapse expanded={opened} keepMountedMode="display-none" onInvalidCapture={open}>
        {children}
      </Collapse>
    </>
  );
}
