import { Button, Group, List, NumberInput, Radio, Select, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { api, done, ifMatch, type Schemas } from '../api/client';
import { useRights } from '../api/session';
import { say, useAct } from '../parts/act';
import { useFaults } from '../parts/faults';
import { ProblemNote } from '../parts/notes';
import { Section } from '../parts/section';
import { every, words } from '../parts/values';
import { complete, newRule, RuleFields, type Rule } from './schedule-rule';

type Schedule = Schemas['ScheduleOut'];

interface Props {
  connection: Schemas['ConnectionOut'];
  channel: Schemas['ChannelOut'];
  schedule: Schedule;
}

/** Most rules that one channel takes. */
const MOST_RULES = 20;

interface Kept {
  key: number;
  rule: Rule;
}

const numbered = (rules: Rule[]): Kept[] => rules.map((rule, key) => ({ key, rule }));

/** When a channel looks for work: at its own pace, or by rules. */
export function ScheduleForm({ connection, channel, schedule }: Props) {
  const { decides } = useRights();
  // What the form was filled from: nobody's change that came after it is overwritten.
  const [from, setFrom] = useState(schedule);
  const [how, setHow] = useState(schedule.rules.length > 0 ? 'rules' : 'pace');
  const [rules, setRules] = useState<Kept[]>(() => numbered(schedule.rules.length > 0 ? schedule.rules : [newRule()]));
  const [zone, setZone] = useState(schedule.zone ?? '');
  const [seconds, setSeconds] = useState<string | number>(channel.every_seconds);
  const path = { connection: connection.id, channel: channel.channel };
  const keep = useAct<void, Schedule>(
    async () => {
      const given = how === 'rules' ? rules.map(({ rule }) => rule) : [];
      const kept = await done(
        api.PUT('/api/v1/connections/{connection}/channels/{channel}/schedule', {
          params: { path, header: ifMatch(from) },
          body: { rules: given, ...(zone ? { zone } : {}) },
        }),
      );
      if (how === 'pace' && Number(seconds) !== channel.every_seconds) {
        await done(
          api.PUT('/api/v1/connections/{connection}/channels/{channel}', {
            params: { path },
            body: { enabled: channel.enabled, every_seconds: Number(seconds) },
          }),
        );
      }
      return kept;
    },
    (kept) => {
      setFrom(kept);
      setRules(numbered(kept.rules.length > 0 ? kept.rules : [newRule()]));
      setZone(kept.zone ?? '');
      say('The schedule is kept, and holds from now on.');
    },
  );
  const faults = useFaults(keep.error);
  const set = (key: number, rule: Rule) => setRules(rules.map((one) => (one.key === key ? { key, rule } : one)));
  const unfinished = how === 'rules' && !rules.every(({ rule }) => complete(rule));
  const shown = (
    <>
      <Text size="sm">
        {words(channel.channel)} are looked for {schedule.rules.length > 0 ? schedule.recurrence : every(channel.every_seconds)}.
      </Text>
      <Coming schedule={schedule} />
    </>
  );
  return (
    <Section
      title="Schedule"
      about="When it looks for work by itself. A call from Brightpearl, something that happens in Millrace, or Run now makes it run at once at any hour, and what is known already is never held up."
    >
      {shown}
      {decides && connection.state !== 'archived' && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            keep.mutate();
          }}
        >
          <Stack>
            <Radio.Group label="It runs" value={how} onChange={setHow}>
              <Group mt="xs">
                <Radio value="pace" label="At its own pace" />
                <Radio value="rules" label="By rules" />
              </Group>
            </Radio.Group>
            {how === 'pace' ? (
              <NumberInput
                label="Seconds between runs"
                required
                min={1}
                allowDecimal={false}
                maw={220}
                value={seconds}
                error={faults.at('every_seconds', seconds)}
                onChange={setSeconds}
              />
            ) : (
              <>
                {rules.map(({ key, rule }, index) => (
                  <RuleFields
                    key={key}
                    place={index + 1}
                    rule={rule}
                    faults={faults}
                    change={(next) => set(key, next)}
                    remove={() => setRules(rules.filter((one) => one.key !== key))}
                  />
                ))}
                {rules.length === 0 && <Text size="sm">Without any rule it keeps its own pace.</Text>}
                <Group>
                  <Button
                    size="xs"
                    variant="default"
                    disabled={rules.length >= MOST_RULES}
                    onClick={() => setRules([...rules, { key: Math.max(-1, ...rules.map((one) => one.key)) + 1, rule: newRule() }])}
                  >
                    Add a rule
                  </Button>
                  <Text size="sm" className="quiet">
                    Whichever fires, runs.{rules.length >= MOST_RULES && ` There can be ${MOST_RULES} rules.`}
                  </Text>
                </Group>
                <Zone zone={zone} error={faults.at('zone', zone)} change={setZone} own={!schedule.zone} />
              </>
            )}
            {keep.error && <ProblemNote error={keep.error} faults={faults} />}
            <Group justify="flex-end">
              {unfinished && (
                <Text size="sm" className="quiet">
                  A rule is not filled in wholly yet.
                </Text>
              )}
              <Button type="submit" loading={keep.isPending} disabled={unfinished}>
                Save the schedule
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Section>
  );
}

/** The zones that the browser knows. UTC is one, though browsers leave it out. */
const ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];

function Zone({ zone, error, change, own }: { zone: string; error: string | undefined; change: (zone: string) => void; own: boolean }) {
  return (
    <Select
      label="Time zone"
      description="The clock that the rules are read on."
      placeholder="The Brightpearl account's own"
      searchable
      clearable={own}
      limit={60}
      maw={320}
      // One that was set elsewhere may be unknown to this browser.
      data={zone && !ZONES.includes(zone) ? [zone, ...ZONES] : ZONES}
      value={zone || null}
      error={error}
      onChange={(chosen) => change(chosen ?? '')}
      clearButtonProps={{ 'aria-label': "The account's own time zone" }}
    />
  );
}

/** The next moments at which a rule fires, on the clock of its zone. */
function Coming({ schedule: { zone, next_runs } }: { schedule: Schedule }) {
  if (!zone || next_runs.length === 0) return null;
  const clock = new Intl.DateTimeFormat(undefined, {
    timeZone: zone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
  return (
    <div>
      <Text size="sm" fw={600}>
        Next, on the clock of {zone}
      </Text>
      <List size="sm">
        {next_runs.map((at) => (
          <List.Item key={at}>
            <time dateTime={at}>{clock.format(new Date(at))}</time>
          </List.Item>
        ))}
      </List>
    </div>
  );
}
