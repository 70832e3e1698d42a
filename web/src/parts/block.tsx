import { Code, type CodeProps } from '@mantine/core';

/** What was sent or answered, as it is. It scrolls sideways, which those who use no mouse do once it has the focus. */
export function Block({ label, children, ...rest }: { label: string; children: string } & Pick<CodeProps, 'mah'>) {
  return (
    <Code block tabIndex={0} role="group" aria-label={label} {...rest}>
      {children}
    </Code>
  );
}
