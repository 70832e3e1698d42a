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

type Named = Schemas['ActionName'];

/** What is done to the order itself, by the names the API uses; the rest is done to a change, to the connection, or in a dialog. */
export const DEEDS: Record<Exclude<Named, 'edit' | 'enable' | 'resume' | 'applied' | 'void'>, Deed> = {
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

/** What is decided about a change, where the action is about one. */
export function decision({ action, effect }: Schemas['ActionOut']): { effect: string; name: Schemas['DecisionName']; label: string } | null {
  if (!effect || !(action === 'retry' || action === 'applied' || action === 'void')) return null;
  return { effect, name: action, label: EFFECT_LABELS[action] };
}
