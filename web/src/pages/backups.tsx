import { Button, Group, Text } from '@mantine/core';
import { useIsMutating } from '@tanstack/react-query';
import { api, done, paging, prove, type Schemas } from '../api/client';
import { useSession } from '../api/session';
import { Action, complain, say, useAct } from '../parts/act';
import { fetching } from '../parts/export';
import { EmptyNote } from '../parts/notes';
import { Section } from '../parts/section';
import { DataTable } from '../parts/table';
import { bytes, Code, Time } from '../parts/values';

type Backup = Schemas['KeptBackupOut'];

/** Under which one that is being taken is found, whatever page is open. */
const TAKE = ['take backup'];

/** Whole copies of the database, kept beside it; for whoever administers the installation. */
export function Backups() {
  const isTaking = useIsMutating({ mutationKey: TAKE }) > 0;
  const take = useAct(
    // Said here and not where it was pressed: whoever has left the page is told as well.
    () =>
      done(api.POST('/api/v1/backups')).catch((error: unknown) => {
        complain(error);
        throw error;
      }),
    () => say('The backup is taken.'),
    TAKE,
  );
  return (
    <Section
      title="Backups"
      about="Whole copies of the database, taken while it is used and kept in the folder beside it. A backup that lies on the same disk is lost with it: download it, or copy the folder elsewhere. The key that opens its secrets is not in it; keep that apart."
      actions={
        <Button size="xs" variant="default" disabled={isTaking} onClick={() => take.mutate()}>
          Take a backup
        </Button>
      }
    >
      {isTaking && (
        <Text size="sm" role="status">
          A backup is being taken. It goes on to its end, even if you leave this page, and is then listed here.
        </Text>
      )}
      <DataTable<Backup>
        of={paging('/api/v1/backups', { query: { limit: 20 } })}
        label="Backups"
        id={(backup) => backup.id}
        columns={[
          { title: 'Taken', show: (backup) => <Time at={backup.taken_at} /> },
          { title: 'Size', figure: true, show: (backup) => <span className="figure">{bytes(backup.bytes)}</span> },
          { title: 'File', show: (backup) => <Code>{backup.file}</Code>, wide: true },
          { title: 'Do', show: (backup) => <Deeds backup={backup} /> },
        ]}
        empty={
          <EmptyNote title="No backup is kept here">
            Each is listed here with its moment, which is what a recovery asks for. A PostgreSQL server makes its own backups.
          </EmptyNote>
        }
      />
    </Section>
  );
}

function Deeds({ backup }: { backup: Backup }) {
  const { proved_until } = useSession();
  const path = { backup: backup.id };
  const download = async () => {
    // The browser itself keeps what comes: it may be large. It cannot ask for the password, so that is done before.
    if (Date.parse(proved_until) < Date.now() + 5_000 && !(await prove())) return;
    const link = document.createElement('a');
    link.href = `/api/v1/backups/${backup.id}/file`;
    link.download = `${backup.id}.backup`;
    link.click();
    fetching(link.download);
  };
  return (
    <Group gap="xs">
      <Button size="xs" variant="default" onClick={() => void download()}>
        Download
      </Button>
      <Action
        size="xs"
        label="Remove"
        about={backup.id}
        danger
        explains="The file is deleted. What was copied elsewhere stays there."
        run={() => done(api.DELETE('/api/v1/backups/{backup}', { params: { path } }))}
      />
    </Group>
  );
}
