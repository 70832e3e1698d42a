import type { Schemas } from '../api/client';
import { useRights } from '../api/session';
import { Section } from '../parts/section';
import { products } from './run-assents';

type Run = Schemas['RunDetailOut'];

/** States in which a correction goes on by itself, and those in which it waits for somebody. */
const GOING = ['planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed'];
const STUCK = ['refused', 'conflict', 'parked'];

const is = (count: number) => (count === 1 ? 'is' : 'are');
const was = (count: number) => (count === 1 ? 'was' : 'were');

/** What the run has come to, in a heading; what that means, and what can be done now. */
function stageOf(run: Run, decides: boolean): [title: string, about: string] {
  const wanted = run.verdicts['correct'] ?? 0;
  const held = run.verdicts['hold'] ?? 0;
  const among = (states: string[]) => states.reduce((sum, state) => sum + (run.corrections[state] ?? 0), 0);
  const made = among(Object.keys(run.corrections));
  const undone = among(['undone']);
  const [going, stuck, applied] = [among(GOING), among(STUCK), among(['applied'])];
  const more = held > 0 ? ` ${products(held)} ${is(held)} held back: see below.` : '';

  switch (run.state) {
    case 'waiting':
      return [
        'It waits for a person',
        decides
          ? `Nothing is written yet. Look at the lines, then approve the run, and ${products(wanted)} ${is(wanted)} corrected in Brightpearl; or drop it, and nothing is. Newer counts that say all of it again take its place.`
          : 'Nothing is written yet. Somebody who decides about stock approves or drops it. Newer counts that say all of it again take its place.',
      ];
    case 'refused':
      return [
        'A limit stopped it',
        'Nothing was written, and nobody can approve this count. The next one is compared anew. Where the limit is wrong, change it in the connection’s settings, under Stock.',
      ];
    case 'dropped':
      return ['It was dropped', 'Nothing was written: a person turned it down, or newer counts took its place. Nothing is left to do; each count is compared anew.'];
  }
  if (made === 0) return ['Nothing was corrected', `No product differs in a way that may be corrected.${more}`];
  if (undone === made) {
    return [
      'It was taken back',
      'Every correction of this run was taken back. Its products are held, so that the next count does not repeat it, until somebody releases them: Stock, Held.',
    ];
  }
  if (stuck > 0) {
    return [
      'Some corrections need a person',
      `${stuck} of ${products(made)} ${was(stuck)} not corrected. In the column Correction, open what is not applied: its page says why, and what to do.${more}`,
    ];
  }
  if (going > 0) {
    return [
      'Its corrections are on their way',
      `${products(going)} of ${made} ${is(going)} still to be corrected. Nothing is to be done: they go by themselves, and this page shows it.${more}`,
    ];
  }
  if (undone > 0) {
    return [
      'Part of it was taken back',
      `${undone} of ${products(made)} ${was(undone)} taken back and ${is(undone)} held; the others stay corrected.${decides ? ' Undo takes back the rest, or single ones.' : ''}${more}`,
    ];
  }
  if (applied === 0) return ['Nothing was corrected', `What it planned was no longer wanted when its turn came. Each count is compared anew.${more}`];
  return [
    'Brightpearl is corrected',
    `${products(applied)} ${was(applied)} corrected by the differences shown here.${decides ? ' Undo takes them back, all or single ones.' : ''}${more}`,
  ];
}

/** Where the run stands, first of all that is said of it. */
export function RunStage({ run }: { run: Run }) {
  const { decides } = useRights();
  const [title, about] = stageOf(run, decides);
  return <Section title={title} about={about} />;
}
