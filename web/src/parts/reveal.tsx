import { Collapse, UnstyledButton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useEffect, type FormEvent, type ReactNode } from 'react';
import { OPENS } from './focus';

interface Props {
  /** What the button says while the rest is hidden, and while it is shown. */
  show: string;
  hide: string;
  /** What it is shown of, where several such buttons stand on a page: part of its name for those who do not see where it stands. */
  about?: string;
  /** Something in it has to be seen: it opens, and stays so until somebody folds it away. */
  forced?: boolean;
  children: ReactNode;
}

/** Something that not everybody needs, behind a button. */
export function Reveal({ show, hide, about, forced = false, children }: Props) {
  const [opened, { toggle, open }] = useDisclosure(false);
  useEffect(() => {
    if (forced) open();
  }, [forced, open]);
  /** The browser goes to a field that is not filled in, and says so there: it cannot where that is folded away. */
  const missing = ({ target }: FormEvent) => {
    if (opened || !(target instanceof HTMLInputElement)) return;
    open();
    window.setTimeout(() => target.form?.reportValidity(), OPENS);
  };
  const label = opened ? hide : show;
  return (
    <>
      <UnstyledButton onClick={toggle} aria-expanded={opened} aria-label={about && `${label}: ${about}`} className="reveal">
        {label}
      </UnstyledButton>
      {/* Drawn at once with the rest of a form, so that the note at its end knows what its fields say. */}
      <Collapse expanded={opened} keepMountedMode="display-none" onInvalidCapture={missing}>
        {children}
      </Collapse>
    </>
  );
}
