import { Anchor, Button, type AnchorProps, type ButtonProps } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

/** A link within the app. */
export function To({ href, children, ...rest }: { href: string; children: ReactNode } & AnchorProps) {
  return (
    <Anchor inherit={rest.size === undefined} {...rest} renderRoot={(props) => <Link to={href} {...props} />}>
      {children}
    </Anchor>
  );
}

/** The same, looking like a button. */
export function ToButton({ href, children, ...rest }: { href: string; children: ReactNode } & ButtonProps) {
  return (
    <Button {...rest} renderRoot={(props) => <Link to={href} {...props} />}>
      {children}
    </Button>
  );
}
