import { Select, Stack, Text, TextInput } from '@mantine/core';
import type { Schemas } from '../../api/client';
import type { Faults } from '../../parts/faults';
import type { Values } from '../../parts/fields';
import { SchemaForm } from '../../parts/form';
import { ProblemNote } from '../../parts/notes';
import { Starred } from '../../parts/starred';

type Platform = Schemas['PlatformOut'];

interface Entered {
  name: string;
  platform: string;
  values: Values;
}

interface Props {
  side: Schemas['Side'];
  platforms: Platform[];
  entered: Entered;
  enter: (part: Partial<Entered>) => void;
  choosePlatform: (platform: string) => void;
  /** Names of secrets that are kept already. */
  kept: string[];
  problem: unknown;
  faults: Faults;
  submit: () => void;
}

/** What the platform was tried against, which says how much is still to be looked at. */
function proven({ proven: against }: Platform): string {
  const named = against === 'simulator' ? 'a simulator that was written from its documentation, and nothing else yet' : against;
  return `Proven against ${named.charAt(0).toLowerCase()}${named.slice(1).replace(/\.$/, '')}.`;
}

/** Name, platform and credentials of a store or warehouse that is to be made. */
export function NewEndpoint(props: Props) {
  const { side, platforms, entered, enter, choosePlatform, kept, problem, faults, submit } = props;
  const { name, platform, values } = entered;
  const chosen = platforms.find((one) => one.name === platform);
  return (
    <form
      id="endpoint"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Stack>
        <Starred />
        <TextInput
          label={`Name of the ${side}`}
          required
          value={name}
          error={faults.at('name', name)}
          onChange={(event) => enter({ name: event.currentTarget.value })}
        />
        <Select
          label="Platform"
          description={chosen?.summary ?? `What the ${side} works with, or how files go there and back. Ask there if you do not know.`}
          required
          data={platforms.map((one) => ({ value: one.name, label: one.title }))}
          placeholder="Pick one"
          value={platform || null}
          error={faults.at('platform', platform)}
          allowDeselect={false}
          onChange={(value) => choosePlatform(value ?? '')}
        />
        {chosen && (
          <Text size="sm" className="quiet">
            {proven(chosen)}
          </Text>
        )}
        {side === 'store' && platform === 'brightpearl' && (
          <Text size="sm">
            Best give Millrace a staff user of its own in Brightpearl, with the API column ticked under Setup &gt; Staff: then its
            password can change without touching anybody else.
          </Text>
        )}
        <SchemaForm
          platform={platform}
          fields={chosen?.fields ?? []}
          values={values}
          onChange={(changed) => enter({ values: changed })}
          kept={kept}
          faults={faults}
          standIns={chosen?.stand_ins ?? false}
        />
        {problem !== null && <ProblemNote error={problem} faults={faults} />}
      </Stack>
    </form>
  );
}
