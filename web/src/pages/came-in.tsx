import { Button, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { reading, type Schemas } from '../api/client';
import { Block } from '../parts/block';
import { ProblemNote, Waiting } from '../parts/notes';
import { bytes } from '../parts/values';

type Exception = Schemas['ExceptionOut'];

/** Kinds of exceptions that are about something that came in, of which the program may have kept what it was. */
export const KEEPS = ['shipment_input', 'input', 'unknown_key', 'changed_shipment', 'changed_adjustment', 'nothing_left'];

/** Shows what came in and could not be used. It is read only when somebody asks for it. */
export function CameIn({ exception }: { exception: Exception }) {
  const [opened, dialog] = useDisclosure(false);
  return (
    <>
      <Button size="xs" variant="default" onClick={dialog.open} aria-label={`Show what came in: ${exception.subject}`}>
        Show what came in
      </Button>
      <Modal opened={opened} onClose={dialog.close} title={`What came in: ${exception.subject}`} size="xl" centered>
        <Content exception={exception.id} />
      </Modal>
    </>
  );
}

function Content({ exception }: { exception: string }) {
  // What was kept does not change.
  const query = useQuery({
    ...reading('/api/v1/exceptions/{exception}/content', { path: { exception } }),
    staleTime: Infinity,
  });
  if (query.error?.told.status === 404) {
    return <Text size="sm">Nothing was kept of it. What is wrong with it is said above its list, with what to do.</Text>;
  }
  if (query.error) return <ProblemNote error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Waiting />;
  const { text, bytes: size, cut } = query.data;
  if (size === 0) return <Text size="sm">It came, and there was nothing in it.</Text>;
  return (
    <Stack gap="xs">
      <Text size="sm">
        {cut ? `Only its beginning is shown: all of it is ${bytes(size)}.` : `All of it, ${bytes(size)}, as it came.`}
      </Text>
      <Block label="What came in" mah="65vh">
        {text}
      </Block>
    </Stack>
  );
}
