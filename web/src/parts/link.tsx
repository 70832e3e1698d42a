import { Anchor, Button, type AnchorProps, type ButtonProps } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

/** An address of the app, with what stands behind `?`, as the router takes it. */
export function target(href: string): { to: string; search: Record<string, string> } {
  const [to = '/', query = ''] = href.split('?');
  return { to, search: Object.fromEntries(new URLSearchParams(query)) };
}

/** A link within the app. */
export function To({ href, children, ...rest }: { href: string; children: ReactNode } & AnchorProps) {
  return (
    <Anchor inherit={rest.size === undefined} {...rest} renderRoot={(props) => <Link {...target(href)} {...props} />}>
      {children}
    </Anchor>
  );
}

/** The same, looking like a button. */
export function ToButton({ href, children, ...rest }: { href: string; children: ReactNode } & ButtonProps) {
  return (
    <Button {...rest} renderRoot={(props) => <Link {...target(href)} {...props} />}>
      {children}
    </Button>
  );
}
