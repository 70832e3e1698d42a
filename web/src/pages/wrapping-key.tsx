import { Alert } from '@mantine/core';
import { useState } from 'react';
import { api, done, reading, type Schemas } from '../api/client';
import { Action } from '../parts/act';
import { Facts } from '../parts/facts';
import { Loaded } from '../parts/page';
import { Section } from '../parts/section';
import { Code, Time } from '../parts/values';

type Rotated = Schemas['RotatedKeyOut'];

/** The key that all secrets are locked with, and putting a new one in its place; for whoever administers the installation. */
export function WrappingKey() {
  const [rotated, setRotated] = useState<Rotated>();
  return (
    <Section
      title="Wrapping key"
      about="Passwords and tokens in the database are locked with keys of each organisation, and those with this one. It lies outside the database, so that a copy of the database alone opens nothing."
      actions={
        <Action
          size="xs"
          label="Replace the key"
          explains="A new key is put before the old one in the key file, and everything is locked with it while it is used. The old line stays: backups from before open with it alone. Other nodes with a key file of their own need the new line before they can open anything."
          confirm="Replace it"
          said="The key is replaced."
          run={async () => setRotated(await done(api.POST('/api/v1/wrapping-key/rotate')))}
        />
      }
    >
      {rotated && (
        <Alert color="teal" title={`The new key is ${rotated.key}`} role="status" mb="sm">
          {rotated.next}
        </Alert>
      )}
      <Loaded of={reading('/api/v1/wrapping-key')}>
        {(key) => (
          <Facts
            of={[
              ['Name', <Code key="n">{key.key}</Code>],
              ['Kept in', key.key_file ? <Code key="f">{key.key_file}</Code> : 'the environment: it is replaced there'],
              ['Organisations whose secrets it locks', String(key.wraps)],
              ['Still locked with an older key', key.left > 0 && `${key.left}: replace the key once more, and keep the old line until then`],
              ['Last replaced', <Time key="r" at={key.rotated_at} none="Never" />],
            ]}
          />
        )}
      </Loaded>
    </Section>
  );
}
