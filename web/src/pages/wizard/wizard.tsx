import { Stepper, Text } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { useSession } from '../../api/session';
import { Page } from '../../parts/page';
import { Action } from '../../parts/act';
import { BasicStep, MerchantStep } from './first-steps';
import { EndpointStep } from './endpoint-step';
import { ChooseStep } from './choose-step';
import { PreflightStep } from './preflight-step';

/** How far somebody has come. Kept in this browser; never a secret. */
export interface Draft {
  step: number;
  name: string;
  merchant: string;
  warehouse: string;
  store: string;
  /** Made in the fifth step. */
  connection: string;
}

const EMPTY: Draft = { step: 0, name: '', merchant: '', warehouse: '', store: '', connection: '' };

const STEPS = ['Basic Information', 'Merchant', 'Warehouse Setup', 'Store Setup', 'What to import', 'Pre-flight'];

/**
 * Makes a connection in six steps. Each step keeps what it makes, so one can leave and come back; credentials go straight
 * to the program and stay there. The connection is off until somebody switches it on.
 */
export function Wizard() {
  const { person } = useSession();
  const [draft, setDraft] = useLocalStorage<Draft>({
    key: `millrace.wizard.${person.id}`,
    defaultValue: EMPTY,
    getInitialValueInEffect: false,
  });
  const next = (part: Partial<Draft>) => setDraft({ ...draft, ...part, step: draft.step + 1 });
  const back = () => setDraft({ ...draft, step: Math.max(0, draft.step - 1) });
  const steps = [
    <BasicStep key="basic" draft={draft} next={next} />,
    <MerchantStep key="merchant" draft={draft} next={next} back={back} />,
    <EndpointStep key="warehouse" side="warehouse" draft={draft} next={(id) => next({ warehouse: id })} back={back} />,
    <EndpointStep key="store" side="store" draft={draft} next={(id) => next({ store: id })} back={back} />,
    <ChooseStep key="choose" draft={draft} made={(id) => next({ connection: id })} back={back} />,
    <PreflightStep key="preflight" connection={draft.connection} finish={() => setDraft(EMPTY)} />,
  ];
  return (
    <Page
      title="Add a connection"
      back={{ href: '/connections', title: 'Connections' }}
      about="Nothing is imported or sent before you switch the connection on at the end."
      actions={
        draft.step > 0 && (
          <Action
            label="Start over"
            explains="The steps begin anew. What was made stays: merchant, warehouse and store can be picked again, and a connection stands in the list, switched off."
            run={() => Promise.resolve(setDraft(EMPTY))}
          />
        )
      }
    >
      <Stepper active={draft.step} size="sm" allowNextStepsSelect={false} visibleFrom="sm" wrap={false}>
        {STEPS.map((title) => (
          <Stepper.Step key={title} label={title} />
        ))}
      </Stepper>
      <Text size="sm" className="quiet" hiddenFrom="sm">
        Step {draft.step + 1} of {STEPS.length}
      </Text>
      <div role="group" aria-label={`Step ${draft.step + 1} of ${STEPS.length}: ${STEPS[draft.step] ?? ''}`}>
        {steps[Math.min(draft.step, steps.length - 1)]}
      </div>
    </Page>
  );
}
