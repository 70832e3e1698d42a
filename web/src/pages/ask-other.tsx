import { Button, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, done, reading, type Schemas } from '../api/client';
import { Action, useAct } from '../parts/act';
import { StateBadge } from '../parts/badge';
import { ProblemNote } from '../parts/notes';
import { Time, who } from '../parts/values';
import { Once } from './secret';

type HandOff = Schemas['HandOffOut'];

/** So many links are shown, the newest. */
const SHOWN = 3;

interface Props {
  /** For which store or warehouse, or for which one that is to be made. */
  wanted: Schemas['NewHandOffIn'];
  /** Whether a link is for this one. */
  fits: (one: HandOff) => boolean;
  /** Something is missing before it can be asked for. */
  disabled?: boolean;
  /** Goes on with what somebody else has entered. */
  use?: (one: HandOff) => void;
}

/**
 * Makes a link through which somebody without an account enters the credentials of a store or warehouse, once, and shows what
 * became of such links: opened, tried, saved.
 */
export function AskOther({ wanted, fits, disabled = false, use }: Props) {
  const links = useQuery({
    ...reading('/api/v1/hand-offs', { query: { limit: 100 } }),
    // No event tells of what happens outside.
    refetchInterval: (query) => (query.state.data?.items.some((one) => one.state === 'open' && fits(one)) ? 5_000 : false),
  });
  const ask = useAct(() => done(api.POST('/api/v1/hand-offs', { body: wanted })));
  const ours = links.data?.items.filter((one) => fits(one) && one.state !== 'withdrawn').slice(0, SHOWN) ?? [];
  const made = ask.data && ours.find((one) => one.id === ask.data.id);
  return (
    <Stack gap="xs" align="flex-start">
      {ask.error && <ProblemNote error={ask.error} />}
      {ask.data && (made === undefined || made.state === 'open') ? (
        <Once title="Send this link to whoever has the credentials" secret={ask.data.link}>
          It opens a page where they are entered, tested and saved, without an account. It works once, within seven days. You see below what becomes of it.
        </Once>
      ) : (
        <Button variant="default" size="xs" disabled={disabled} loading={ask.isPending} onClick={() => ask.mutate()}>
          Ask somebody else for them
        </Button>
      )}
      {ours.map((one) => (
        <OneLink key={one.id} link={one} use={use} />
      ))}
    </Stack>
  );
}

/** How far somebody has come with a link. */
function OneLink({ link, use }: { link: HandOff; use: Props['use'] }) {
  return (
    <Group gap="xs" role="group" aria-label={`Link of ${who(link.created_by)}`}>
      <StateBadge state={link.state} />
      <Text size="sm">
        Asked by {who(link.created_by)} <Time at={link.created_at} />
        {link.saved_at ? (
          <>
            ; saved <Time at={link.saved_at} />
            {link.worked === false ? ', though the test did not work' : ', and the test worked'}
          </>
        ) : link.tested_at ? (
          <>
            ; tried {link.tests === 1 ? 'once' : `${link.tests} times`}, last <Time at={link.tested_at} />
            {link.worked ? ', and it worked' : ', and it did not work yet'}
          </>
        ) : link.opened_at ? (
          <>
            ; opened <Time at={link.opened_at} />, nothing tried yet
          </>
        ) : (
          '; not opened'
        )}
        {link.state === 'open' && (
          <>
            ; ends <Time at={link.expires_at} />
          </>
        )}
        .
      </Text>
      {link.state === 'open' && (
        <Action
          size="xs"
          label="Withdraw"
          explains="The link opens nothing any more. What was kept before stays."
          run={() => done(api.DELETE('/api/v1/hand-offs/{hand_off}', { params: { path: { hand_off: link.id } } }))}
        />
      )}
      {link.state === 'used' && use && (
        <Button size="xs" onClick={() => use(link)}>
          Go on with it
        </Button>
      )}
    </Group>
  );
}
