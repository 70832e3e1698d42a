import { Button, Group, Radio, Select, Stack, Text } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { reading, whole, type Schemas } from '../../api/client';
import { useAct } from '../../parts/act';
import { useFaults } from '../../parts/faults';
import { apart, given, theirs, type Values } from '../../parts/fields';
import { ProblemNote, Waiting } from '../../parts/notes';
import { Section } from '../../parts/section';
import { AskOther } from '../ask-other';
import { CheckResult } from '../check-result';
import { complete, sides, useTest } from '../endpoint-settings';
import { SamplePreview } from '../sample-preview';
import { StoreOauth } from '../store-oauth';
import { KEPT_AFTER, type Keeping } from './draft';
import { MendForm, useMend } from './mend-endpoint';
import { NewEndpoint } from './new-endpoint';

type Platform = Schemas['PlatformOut'];
type Endpoint = Schemas['EndpointOut'];
type HandOff = Schemas['HandOffOut'];

interface Props {
  /** The draft's. */
  id: string;
  side: Schemas['Side'];
  keeping: Keeping;
  next: (id: string) => void;
  back: () => void;
}

const TITLES = { store: 'Store Setup', warehouse: 'Warehouse Setup' } as const;

/**
 * One side: one that is here, or a new one with its credentials. What was entered is kept when one goes on, once a test has reached
 * it or the person wants it all the same.
 */
export function EndpointStep(props: Props) {
  const platforms = useQuery({ ...reading('/api/v1/platforms'), staleTime: Infinity });
  const stores = useQuery(whole('/api/v1/stores'));
  const warehouses = useQuery(whole('/api/v1/warehouses'));
  const all = (props.side === 'store' ? stores : warehouses).data;
  if (!platforms.data || !all) return <Waiting />;
  const present = all.filter((one) => one.merchant === props.keeping.draft.merchant);
  const offered = platforms.data.filter((platform) => platform.role === props.side);
  return <Form {...props} present={present} platforms={offered} />;
}

function Form({ id: draftId, side, keeping, next, back, present, platforms }: Props & { present: Endpoint[]; platforms: Platform[] }) {
  const { draft, keep, moving, secrets } = keeping;
  const entered = draft.entered[side];
  const [id, setId] = useState(draft[side] || (present[0]?.id ?? ''));
  const [how, setHow] = useState(present.length > 0 && !entered ? 'existing' : 'new');
  const [platform, setPlatform] = useState(entered?.platform ?? (platforms.length === 1 ? platforms[0]?.name : undefined) ?? '');
  const [name, setName] = useState(entered?.name ?? '');
  const [values, setValues] = useState<Values>(entered?.values ?? {});
  const chosen = platforms.find((one) => one.name === platform);
  const fieldsOf = (named: string) => platforms.find((one) => one.name === named)?.fields ?? [];
  const fields = fieldsOf(platform);
  const hidden = [...secrets].filter((secret) => secret.startsWith(`${side}.`));
  const later = useDebouncedCallback(
    (form: { name: string; platform: string; values: Values }) => {
      const { plain, sealed } = apart(fields, form.values);
      const bySide = Object.fromEntries(Object.entries(sealed).map(([field, value]) => [`${side}.${field}`, value]));
      void keep({ entered: { ...draft.entered, [side]: { ...form, values: plain } } }, bySide);
    },
    { delay: KEPT_AFTER, flushOnUnmount: true },
  );
  const enter = (part: { name?: string; platform?: string; values?: Values }) => {
    const form = { name, platform, values, ...part };
    setName(form.name);
    setPlatform(form.platform);
    setValues(form.values);
    later(form);
  };
  const forget = () => Object.fromEntries(hidden.map((secret) => [secret, '']));
  const choosePlatform = (next: string) => {
    // The passwords of one platform are of no use to another.
    if (hidden.length > 0) void keep({}, forget());
    test.reset();
    enter({ platform: next, values: {} });
  };
  const [failed, setFailed] = useState(false);
  const there = present.find((one) => one.id === id);
  const theirFields = there ? fieldsOf(there.platform) : [];
  const mend = useMend(side, id, failed, theirFields, () => settle(id));
  const isNew = how === 'new';
  const body = given(isNew ? fields : theirFields, (isNew ? values : mend.changed?.values) ?? {});
  const isEntered = isNew || mend.changed !== null;
  const test = useTest({
    side,
    form: isNew
      ? {
          name: name.trim(),
          platform,
          // Only where it is needed: secrets that are kept already ask for the person's own password.
          ...(hidden.some((secret) => !(secret.slice(side.length + 1) in body.secrets)) && { draft: draftId }),
          ...body,
        }
      : { name: there?.name ?? '', platform: there?.platform ?? '', of: id, ...body },
    kept: isEntered ? undefined : id,
    // The draft may still hold a secret that was just taken out of the form.
    before: async () => {
      later.flush();
      await keep({});
    },
    then: (check, kept) => kept && setFailed(!check.ok),
  });
  const choose = (part: { how?: string; id?: string }) => {
    setHow(part.how ?? how);
    setId(part.id ?? id);
    setFailed(false);
    test.reset();
    mend.forget();
  };
  /** One is made, by this person or through a link: the draft needs what was entered for it, and its secrets, no more. */
  const take = (made: string) => {
    const { [side]: _, ...others } = draft.entered;
    void keep({ [side]: made, entered: others }, forget());
    choose({ how: 'existing', id: made });
    setName('');
    setValues({});
  };
  const goOnWith = (made: string) => {
    take(made);
    test.runKept(made);
  };
  const make = useAct<void, Endpoint>(
    async () => {
      later.flush();
      await keep({});
      const settings = { ...body.settings, ...test.learned };
      return sides[side].create({ merchant: draft.merchant, name: name.trim(), platform, draft: draftId, ...body, settings });
    },
    (made) => {
      take(made.id);
      settle(made.id);
    },
  );
  const byConsent = (isNew ? values : (mend.changed?.values ?? there?.settings))?.sign_in === 'oauth';
  // Consent is given to one that is kept, so before that there is nothing to test.
  const needsKeeping = byConsent && isEntered;
  const settle = (kept: string) => (byConsent ? test.runKept(kept) : next(kept));
  const keepIt = () => (isNew ? make.mutate() : mend.save.mutate(test.learned));
  const goOn = () => {
    if (!isEntered) next(id);
    else if (test.works || needsKeeping) keepIt();
    else test.run(keepIt);
  };
  const noneHere = present.length === 0 && !id;
  const problem = make.error ?? test.error;
  const faults = useFaults(problem);
  const isMended = !isNew && failed && there !== undefined;
  const keeps = make.isPending || mend.save.isPending;
  const offersHandOff = !byConsent && !test.works && (isNew || Boolean(id));
  const asked = {
    existing: {
      wanted: { [side]: id, fields: there ? theirs(there.platform, theirFields, there.settings) : [] },
      fits: (one: HandOff) => one[side] === id,
    },
    new: {
      wanted: {
        merchant: draft.merchant,
        name: name.trim(),
        platform,
        settings: given(fields, values).settings,
        fields: theirs(platform, fields, values),
      },
      fits: (one: HandOff) => one.side === side && one.merchant === draft.merchant && one.name === name.trim(),
    },
  };
  return (
    <>
      <Section title={TITLES[side]}>
        <Stack className="fields">
          <Radio.Group value={how} onChange={(value) => choose({ how: value })} label={side === 'store' ? 'Which store' : 'Which warehouse'}>
            <Group mt="xs" align="flex-start">
              <Radio
                value="existing"
                label="One that is here"
                description={noneHere && `No ${side} of this merchant is here yet.`}
                disabled={noneHere}
              />
              <Radio value="new" label="A new one" />
            </Group>
          </Radio.Group>
          {how === 'existing' ? (
            <Select
              label={sides[side].title}
              required
              data={present.map((one) => ({ value: one.id, label: `${one.name} · ${platforms.find(({ name: of }) => of === one.platform)?.title ?? one.platform}` }))}
              value={id || null}
              onChange={(value) => choose({ id: value ?? '' })}
            />
          ) : (
            <NewEndpoint
              side={side}
              platforms={platforms}
              entered={{ name, platform, values }}
              enter={enter}
              choosePlatform={choosePlatform}
              kept={hidden.map((secret) => secret.slice(side.length + 1))}
              problem={problem}
              faults={faults}
              submit={goOn}
            />
          )}
          {how === 'existing' && there?.settings.sign_in === 'oauth' && <StoreOauth store={there.id} name={there.name} />}
          {!isNew && !isMended && test.error && <ProblemNote error={test.error} />}
          {test.check && <CheckResult check={test.check} trust={test.trust} />}
          {isMended && (
            <MendForm
              of={mend}
              fields={theirFields}
              standIns={platforms.find(({ name: of }) => of === there.platform)?.stand_ins ?? false}
              refused={test.error}
              submit={goOn}
            />
          )}
          {needsKeeping && (
            <Text size="sm">Brightpearl asks for consent once the store is kept; then the connection can be tested.</Text>
          )}
          {offersHandOff && (
            <div>
              <Text size="sm" mb="xs">
                Does somebody else have the credentials? They enter them on a page of their own, without an account.
                {isNew && ` Give the ${side} a name and pick its platform, enter what you know, and leave the rest to them.`}
              </Text>
              <AskOther
                key={how}
                {...(isNew ? { ...asked.new, use: (link: HandOff) => goOnWith(link[side] ?? ''), disabled: name.trim() === '' || !chosen } : asked.existing)}
              />
            </div>
          )}
          {isNew && !chosen && (
            <Text size="sm" className="quiet">
              Pick a platform to go on: what it asks for appears here, and can then be tested.
            </Text>
          )}
          <Group justify="space-between" gap="xs">
            <Button variant="default" onClick={back}>
              Back
            </Button>
            <Group gap="xs">
              {needsKeeping ? (
                <Button type="submit" form="endpoint" loading={keeps}>
                  Keep it
                </Button>
              ) : (
                <>
                  <Button
                    form="endpoint"
                    variant={test.works ? 'default' : 'filled'}
                    disabled={isNew ? !chosen : !id}
                    loading={test.isPending}
                    onClick={(event) => complete(event) && test.run()}
                  >
                    Test connection
                  </Button>
                  {isEntered && test.check?.ok === false && (
                    <Button
                      form="endpoint"
                      variant="default"
                      disabled={test.isPending}
                      loading={keeps}
                      onClick={(event) => complete(event) && keepIt()}
                    >
                      Keep it all the same
                    </Button>
                  )}
                  <Button
                    {...(isEntered ? { type: 'submit', form: 'endpoint' } : { onClick: goOn })}
                    variant={test.works ? 'filled' : 'default'}
                    disabled={(isNew ? !chosen : !id) || test.isPending}
                    loading={keeps || moving}
                  >
                    Next
                  </Button>
                </>
              )}
            </Group>
          </Group>
        </Stack>
      </Section>
      {isNew && chosen?.previews && <SamplePreview key={platform} platform={platform} fields={fields} values={values} />}
    </>
  );
}
