import type { Schemas } from '../api/client';

export type Field = Schemas['FieldOut'];
export type Values = Record<string, string>;

interface Rule {
  field: string;
  values: string[];
  /** It may be left out there all the same. */
  optional?: true;
}

/** Fields that only matter with one choice of another field, by platform; there they must be given. */
const ONLY_WITH: Record<string, Record<string, Rule>> = {
  brightpearl: {
    email: { field: 'sign_in', values: ['staff_login'] },
    password: { field: 'sign_in', values: ['staff_login'] },
    app_ref: { field: 'sign_in', values: ['account_token', 'staff_token', 'oauth'] },
    account_token: { field: 'sign_in', values: ['account_token'] },
    staff_token: { field: 'sign_in', values: ['staff_token'] },
    dev_ref: { field: 'sign_in', values: ['oauth'] },
    client_secret: { field: 'sign_in', values: ['oauth'] },
  },
};

/** Where files are exchanged: the same fields on every platform that asks for a transport. */
const OF_FILES: Record<string, Rule> = {
  folder: { field: 'transport', values: ['folder'] },
  host: { field: 'transport', values: ['sftp'] },
  user: { field: 'transport', values: ['sftp'] },
  ...Object.fromEntries(
    ['port', 'password', 'private_key', 'host_key', 'root'].map((name) => [
      name,
      { field: 'transport', values: ['sftp'], optional: true as const },
    ]),
  ),
};

/**
 * The fields that matter with what is chosen so far: first those to fill in, then those that have a value by themselves. What
 * only the operator decides (`standIns`) is asked where the installation permits it.
 */
export function asked(
  platform: string,
  fields: Field[],
  values: Values,
  standIns: boolean,
): { first: Field[]; more: Field[] } {
  const rules = ONLY_WITH[platform] ?? (fields.some((field) => field.name === 'transport') ? OF_FILES : {});
  const matters = (field: Field) => {
    const rule = rules[field.name];
    if (!rule) return true;
    const other = fields.find((one) => one.name === rule.field);
    // Where the choice is not asked for, whoever asked for the field has made it.
    if (!other && values[rule.field] === undefined) return true;
    return rule.values.includes(values[rule.field] || other?.default || '');
  };
  const needed = (field: Field) => {
    const rule = rules[field.name];
    return rule && !rule.optional ? { ...field, required: true } : field;
  };
  const shown = fields.filter((field) => (standIns || field.kind !== 'operator') && matters(field)).map(needed);
  const byItself = (field: Field) =>
    !field.required && (field.kind === 'learned' || (Boolean(field.default) && field.kind !== 'choice'));
  return { first: shown.filter((field) => !byItself(field)), more: shown.filter(byItself) };
}

const SECRET = new Set(['secret', 'long_secret']);

/**
 * What only whoever has the credentials can say: secrets, and what has no value yet and none by itself. How files are laid out and
 * the like is not theirs to decide.
 */
export function theirs(platform: string, fields: Field[], values: Values): string[] {
  return asked(platform, fields, values, false)
    .first.filter((field) => SECRET.has(field.kind) || !(values[field.name] || field.default))
    .map((field) => field.name);
}

/** Sorts what was entered into plain settings and secrets, as the API takes them. What is empty is not given. */
export function given(fields: Field[], values: Values): { settings: Values; secrets: Values } {
  const settings: Values = {};
  const secrets: Values = {};
  for (const field of fields) {
    const value = values[field.name];
    if (value === undefined || value === '' || field.kind === 'learned') continue;
    (SECRET.has(field.kind) ? secrets : settings)[field.name] = value;
  }
  return { settings, secrets };
}

/** Parts what was entered into what may be shown again and what may not. A secret that was emptied is among them, empty. */
export function apart(fields: Field[], values: Values): { plain: Values; sealed: Values } {
  const isSecret = (name: string) => SECRET.has(fields.find((field) => field.name === name)?.kind ?? '');
  const pick = (secret: boolean) => Object.fromEntries(Object.entries(values).filter(([name]) => isSecret(name) === secret));
  return { plain: pick(false), sealed: pick(true) };
}
