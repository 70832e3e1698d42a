import { api, done, type Schemas } from '../api/client';

/** Something a person can do about an order, as its explanation names it. */
export interface Deed {
  label: string;
  wantsReason: boolean;
  danger?: boolean;
  run: (order: string, reason: string) => Promise<unknown>;
}

const path = (order: string) => ({ params: { path: { order } } });
const answer = (given: string) => (order: string, reason: string) =>
  done(api.POST('/api/v1/orders/{order}/answer', { ...path(order), body: { answer: given, reason } }));

/** By the names the API uses for them. */
export const DEEDS: Record<string, Deed> = {
  retry: {
    label: 'Try again',
    wantsReason: false,
    run: (order) => done(api.POST('/api/v1/orders/{order}/retry', path(order))),
  },
  hold: {
    label: 'Hold',
    wantsReason: true,
    run: (order, reason) => done(api.POST('/api/v1/orders/{order}/hold', { ...path(order), body: { reason } })),
  },
  release: {
    label: 'Release',
    wantsReason: false,
    run: (order) => done(api.POST('/api/v1/orders/{order}/release', path(order))),
  },
  cancel: {
    label: 'Cancel the order',
    wantsReason: true,
    danger: true,
    run: (order, reason) => done(api.POST('/api/v1/orders/{order}/cancel', { ...path(order), body: { reason } })),
  },
  archive: {
    label: 'Archive',
    wantsReason: false,
    run: (order) => done(api.POST('/api/v1/orders/{order}/archive', path(order))),
  },
  resend: {
    label: 'Send again',
    wantsReason: true,
    run: (order, reason) => done(api.POST('/api/v1/orders/{order}/resend', { ...path(order), body: { reason } })),
  },
  answer_accepted: { label: 'The warehouse has stopped it', wantsReason: true, run: answer('accepted') },
  answer_too_late: { label: 'It ships as it was sent', wantsReason: true, run: answer('too_late') },
  answer_partly: { label: 'Some of it ships', wantsReason: true, run: answer('partly') },
};

const EFFECT_LABELS: Record<Schemas['DecisionName'], string> = {
  retry: 'Let it go again',
  applied: 'It is there already',
  void: 'Give it up',
};

/** The effect and decision that an action stands for: its command names them. */
export function decision(action: Schemas['ActionOut']): { effect: string; name: Schemas['DecisionName']; label: string } | null {
  const [, name, effect] = /^millrace effects (retry|applied|void) (eff_\w+)/.exec(action.command) ?? [];
  if (!effect || !(name === 'retry' || name === 'applied' || name === 'void')) return null;
  return { effect, name, label: EFFECT_LABELS[name] };
}
