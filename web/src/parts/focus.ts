import { useEffect } from 'react';

/** Parts of a page that have a name of their own: where one was, when what one was at is gone. */
const PARTS = '[role=dialog], section[aria-label], [role=group][aria-label], [role=region], [role=search], main';
/** A dialog that closes gives the focus back by itself; only afterwards is it lost, in milliseconds. */
const LATER = 60;

/** Whether anybody has done anything in this window since it was loaded. */
let used = false;
for (const kind of ['keydown', 'pointerdown']) window.addEventListener(kind, () => (used = true), { capture: true, once: true });

/** An element and everything around it, as it was when it got the focus. */
type Trail = Element[];

function trailOf(element: Element): Trail {
  const trail = [];
  for (let one: Element | null = element; one && one !== document.body; one = one.parentElement) trail.push(one);
  return trail;
}

/** What of a trail is still there: the element itself, or the nearest named part around it. */
function left(trail: Trail): Element | undefined {
  const [element] = trail;
  return element?.isConnected ? element : trail.find((one) => one.isConnected && one.matches(PARTS));
}

/** Puts the focus there, without moving the page. Of a whole page, to its heading, which says where one is. */
function put(part: Element): void {
  const there = (part.matches('main') && part.querySelector('h1')) || part;
  if (!(there instanceof HTMLElement)) return;
  if (there.tabIndex < 0 && !there.hasAttribute('tabindex')) there.tabIndex = -1;
  there.focus({ preventScroll: true });
}

function keep(): () => void {
  /** Of what has the focus; and of what last had it on the page itself, below any dialog. */
  let trail: Trail = [];
  let below: Trail = [];
  let timer: number | undefined;
  const came = ({ target }: FocusEvent) => {
    if (!(target instanceof Element)) return;
    trail = trailOf(target);
    if (target.closest('main')) below = trail;
  };
  const look = () => {
    timer = undefined;
    const nobody = document.activeElement === null || document.activeElement === document.body;
    if (!nobody || trail.length === 0 || trail[0]?.isConnected) return;
    const part = left(trail) ?? left(below) ?? document.querySelector('main');
    if (part) put(part);
  };
  const watched = new MutationObserver(() => {
    if (trail[0]?.isConnected === false) timer ??= window.setTimeout(look, LATER);
  });
  document.addEventListener('focusin', came);
  watched.observe(document.body, { childList: true, subtree: true });
  return () => {
    document.removeEventListener('focusin', came);
    watched.disconnect();
    window.clearTimeout(timer);
  };
}

/**
 * Whoever works by keyboard, or does not see the page, must not be sent back to its beginning whenever a row, a step or a dialog
 * goes away: the focus then goes to the nearest part of the page that is still there.
 */
export function useKeptFocus(): void {
  useEffect(keep, []);
}

/**
 * Where somebody comes to a page by a link, or to its next step, that gets the focus: it is read out, and the next step of the
 * keyboard goes into it. Not where the page was opened by its address, nor where somebody is at something else.
 */
export function arrive(place: HTMLElement | null): void {
  const at = document.activeElement;
  const isFree = at === null || at === document.body || at.matches('a, main, h1');
  if (used && isFree) place?.focus({ preventScroll: true });
}

/** What was folded away can have the focus so long after it is opened, in milliseconds. */
export const OPENS = 250;

/** Goes to the first field of the form that says what is wrong: it may be far above the button that was pressed. */
export function goToFault(note: HTMLElement | null): (() => void) | undefined {
  const form = note?.closest('form');
  if (!form) return undefined;
  const timer = window.setTimeout(() => form.querySelector<HTMLElement>('[aria-invalid=true]')?.focus(), OPENS);
  return () => window.clearTimeout(timer);
}
