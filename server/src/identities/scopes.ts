/** Scopes: what a key lets its holder do, as texts such as `read:account` and `write:account:eu-*`. */

/** What a call does with a resource. A guard is a lease that writes. */
export const ACTIONS = ['read', 'write', 'lease', 'invalidate', 'operate'] as const;
export type Action = (typeof ACTIONS)[number];

/** What somebody may do with the operators' calls, each including those before it. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface Scope {
  action: Action;
  /** A resource's name; `*`: every resource. */
  resource: string;
  /** What the key's canonical text begins with; empty: every key, and what names no key. */
  prefix: string;
}

/** The actions of calls; operators' calls on one resource are the rest. */
export const SERVICE_ACTIONS = ACTIONS.filter((action) => action !== 'operate');

export const ALL_RESOURCES = '*';

const SCOPE_FORM =
  'ACTION:RESOURCE or ACTION:RESOURCE:PREFIX*, such as read:account or write:account:eu-*';
const MAX_SCOPE_LENGTH = 1024;
/** A prefix may hold the comma of a composite key, so a list is parted only where the next scope begins. */
const NEXT_SCOPE = new RegExp(`,(?=\\s*(?:${ACTIONS.join('|')}):)`);

/** The texts of a list of scopes that are parted by commas. */
export const scopeTexts = (list: string): string[] =>
  list.split(NEXT_SCOPE).map((text) => text.trim());

/** A scope, or what is wrong with its text and what is allowed. */
export function parseScope(text: string): { scope: Scope } | { fault: string } {
  const [word = '', resource = '', ...rest] = text.split(':');
  const action = ACTIONS.find((each) => each === word);
  if (action === undefined)
    return { fault: `has no action ${JSON.stringify(word)}; allowed: ${ACTIONS.join(', ')}` };
  if (resource === '' || text.length > MAX_SCOPE_LENGTH || !text.isWellFormed())
    return { fault: `is no scope; allowed: ${SCOPE_FORM}` };
  if (rest.length === 0) return { scope: { action, resource, prefix: '' } };
  const given = rest.join(':');
  const prefix = given.slice(0, -1);
  if (!given.endsWith('*') || prefix.includes('*'))
    return { fault: 'has a prefix without one * at its end; allowed: such as eu-*' };
  if (action === 'operate' && prefix !== '')
    return { fault: 'has a key prefix; operate is for whole resources, such as operate:account' };
  return { scope: { action, resource, prefix } };
}

export const scopeText = ({ action, resource, prefix }: Scope): string =>
  prefix === '' ? `${action}:${resource}` : `${action}:${resource}:${prefix}*`;
