import { Stack, Stepper, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, type ReactNode } from 'react';
import { Action, complain } from '../../parts/act';
import { arrive } from '../../parts/focus';
import { ToButton } from '../../parts/link';
import { ProblemNote } from '../../parts/notes';
import { Loaded, Page } from '../../parts/page';
import { ChooseStep } from './choose-step';
import { begin, discard, PARTS, readingDraft, STEPS, useDraft, type Draft, type Kept } from './draft';
import { EndpointStep } from './endpoint-step';
import { BasicStep, MerchantStep } from './first-steps';
import { PreflightStep } from './preflight-step';

const here = (search: Record<string, string>) => ({ to: '/connections/add', search, replace: true }) as const;

/**
 * Makes a connection in five steps. What is entered is kept as a draft by the program, so one can leave, come back from another
 * browser, and go on; the connection that is made of it is off until somebody switches it on.
 */
export function Wizard() {
  const { draft, connection }: { draft?: string; connection?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const client = useQueryClient();
  if (connection) {
    return (
      <Frame part={PARTS.length - 1}>
        <PreflightStep connection={connection} />
      </Frame>
    );
  }
  if (draft) {
    return (
      <Loaded of={readingDraft(draft)} page={{ title: 'Add a connection', back: { href: '/connections', title: 'Connections' } }}>
        {(kept) => <Steps key={kept.id} kept={kept} />}
      </Loaded>
    );
  }
  const start = async (name: string) => {
    const kept = await begin(name);
    client.setQueryData(readingDraft(kept.id).queryKey, kept);
    await navigate(here({ draft: kept.id }));
  };
  return (
    <Frame part={0}>
      <BasicStep name="" next={start} />
    </Frame>
  );
}

function Steps({ kept }: { kept: Kept }) {
  const navigate = useNavigate();
  const keeping = useDraft(kept);
  const { draft, keep, problem } = keeping;
  const next = async (part: Partial<Draft>) => {
    await keep({ ...part, step: draft.step + 1 });
  };
  const back = () => void keep({ step: draft.step - 1 });
  const made = async (connection: string) => {
    await navigate(here({ connection }));
    await discard(kept.id).catch(complain);
  };
  const parts = [
    <BasicStep key="basic" name={draft.name} next={(name) => next({ name })} />,
    <MerchantStep key="merchant" draft={draft} next={next} back={back} />,
    <EndpointStep key="warehouse" id={kept.id} side="warehouse" keeping={keeping} next={(id) => void next({ warehouse: id })} back={back} />,
    <EndpointStep key="store" id={kept.id} side="store" keeping={keeping} next={(id) => void next({ store: id })} back={back} />,
    <ChooseStep key="choose" keeping={keeping} made={made} back={back} />,
  ];
  return (
    <Frame
      part={draft.step}
      actions={
        <>
          <ToButton href="/connections" variant="default">
            Go on later
          </ToButton>
          <Action
            label="Discard"
            danger
            explains="What was entered here is forgotten, passwords included. Merchants, warehouses and stores that were made stay, and can be picked again."
            run={async () => {
              await discard(kept.id);
              await navigate({ to: '/connections' });
            }}
          />
        </>
      }
    >
      {problem !== null && <ProblemNote error={problem} />}
      {parts[draft.step]}
    </Frame>
  );
}

function Frame({ part, actions, children }: { part: number; actions?: ReactNode; children: ReactNode }) {
  const { step, title } = PARTS[part] ?? { step: 0, title: '' };
  const group = useRef<HTMLDivElement>(null);
  // The first one is the page itself.
  useEffect(() => {
    if (part > 0) arrive(group.current);
  }, [part]);
  return (
    <Page
      title="Add a connection"
      back={{ href: '/connections', title: 'Connections' }}
      about={
        step === 0
          ? 'Nothing is imported or sent before you switch the connection on at the end. You can leave at any step and go on later: what you have entered is kept.'
          : 'What you enter is kept. Nothing is imported or sent before you switch the connection on.'
      }
      actions={actions}
    >
      <Stepper active={step} size="sm" allowNextStepsSelect={false} visibleFrom="lg" wrap={false}>
        {STEPS.map((one) => (
          <Stepper.Step key={one} label={one.replace('-', '\u2011')} />
        ))}
      </Stepper>
      <Text size="sm" className="quiet" hiddenFrom="lg">
        Step {step + 1} of {STEPS.length}: {title}
      </Text>
      <Stack ref={group} tabIndex={-1} role="group" aria-label={`Step ${step + 1} of ${STEPS.length}: ${title}`}>
        {children}
      </Stack>
    </Page>
  );
}
