import { Collapse, UnstyledButton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { ReactNode } from 'react';

interface Props {
  /** What the button says while the rest is hidden, and while it is shown. */
  show: string;
  hide: string;
  /** It is shown whatever somebody presses. */
  forced?: boolean;
  children: ReactNode;
}

/** Something that not everybody needs, behind a button. */
export function Reveal({ show, hide, forced = false, children }: Props) {
  const [opened, { toggle }] = useDisclosure(false);
  const shows = opened || forced;
  return (
    <>
      <UnstyledButton onClick={toggle} aria-expanded={shows} className="reveal">
        {shows ? hide : show}
      </UnstyledButton>
      <Collapse expanded={shows}>{children}</Collapse>
    </>
  );
}
