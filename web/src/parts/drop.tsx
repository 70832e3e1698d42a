import { Button, FileButton, Group, Paper, Text } from '@mantine/core';
import { useRef, useState, type DragEvent } from 'react';

interface Props {
  /** What file is meant, for those who do not see where it stands. */
  label: string;
  /** Kinds of files that are offered to choose from; any may be dropped. */
  accept?: string;
  take: (file: File | null) => void;
}

/** Takes a file that is dropped or chosen. */
export function Drop({ label, accept, take }: Props) {
  const [over, setOver] = useState(false);
  const reset = useRef<() => void>(null);
  const dragged = (isOver: boolean) => (event: DragEvent) => {
    event.preventDefault();
    setOver(isOver);
  };
  const chosen = (file: File | null) => {
    // The same file may be mended, and chosen once more.
    reset.current?.();
    take(file);
  };
  return (
    <Paper
      withBorder
      p="md"
      className="drop"
      data-over={over || undefined}
      onDragOver={dragged(true)}
      onDragLeave={dragged(false)}
      onDrop={(event) => {
        dragged(false)(event);
        take(event.dataTransfer.files.item(0));
      }}
    >
      <Group>
        <FileButton onChange={chosen} resetRef={reset} {...(accept ? { accept } : {})} inputProps={{ 'aria-label': label }}>
          {(props) => (
            <Button variant="default" {...props}>
              Choose a file
            </Button>
          )}
        </FileButton>
        <Text size="sm">or drop one here</Text>
      </Group>
    </Paper>
  );
}
