/**
 * In which tenant somebody signs in from this browser. Two tenants may know people under one address; which of them is meant says the
 * link that somebody came by, or `/sign-in#tenant=NAME`.
 */
const KEPT = 'millrace-tenants';

function kept(): Record<string, string> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '{}');
    return typeof found === 'object' && found !== null ? (found as Record<string, string>) : {};
  } catch {
    return {};
  }
}

const called = (email: string) => email.trim().toLowerCase();

/** The one that was meant before; nothing where none was ever named. */
export function tenantOf(email: string): string | undefined {
  const found = kept()[called(email)];
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** From now on this one is meant; without a name, none is. */
export function rememberTenant(email: string, tenant: string): void {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...kept(), [called(email)]: tenant }));
  } catch {
    // A browser that keeps nothing asks the link again.
  }
}
