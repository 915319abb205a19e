import { type Key, LockstepError } from '../domain/index.ts';
import {
  type Action,
  ALL_RESOURCES,
  type Role,
  ROLES,
  type Scope,
  SERVICE_ACTIONS,
} from './scopes.ts';

/** What an endpoint needs of its caller. */
export interface Needs {
  /** `service`: at least one scope of a service; else the least role. */
  role: Role | 'service';
  /**
   * With `service`: the actions of which the caller must have scopes; for which keys is looked at where these are known.
   * With a role: any scope of these actions serves instead of the role.
   */
  scopes: readonly Action[];
}

type Prefixes = readonly string[];

/** What one caller may do. It does not change; another look at the caller's key makes another one. */
export class Access {
  readonly #level: number;
  /** Prefixes of keys, by action and resource. The empty prefix: everything. */
  readonly #rules = new Map<Action, Map<string, Prefixes>>();

  constructor(role: Role | null, scopes: readonly Scope[]) {
    this.#level = role === null ? -1 : ROLES.indexOf(role);
    for (const { action, resource, prefix } of scopes) {
      const rules = this.#rules.get(action) ?? new Map<string, Prefixes>();
      this.#rules.set(action, rules);
      rules.set(resource, [...(rules.get(resource) ?? []), prefix]);
    }
  }

  /** Everything. */
  static readonly ADMIN = new Access('admin', []);
  /** All that services do, and nothing of the operators. */
  static readonly SERVICE = new Access(
    null,
    SERVICE_ACTIONS.map((action) => ({ action, resource: ALL_RESOURCES, prefix: '' })),
  );

  get isAdmin(): boolean {
    return this.hasRole('admin');
  }

  hasRole(role: Role): boolean {
    return this.#level >= ROLES.indexOf(role);
  }

  /** Whether there is a scope of the action at all. */
  has(action: Action): boolean {
    return this.isAdmin || this.#rules.has(action);
  }

  /** @param keyText the key's canonical text; null: every key of the resource, or what names none */
  covers(action: Action, resource: string, keyText: string | null): boolean {
    if (this.isAdmin) return true;
    const rules = this.#rules.get(action);
    if (rules === undefined) return false;
    return isCovered(rules.get(resource), keyText) || isCovered(rules.get(ALL_RESOURCES), keyText);
  }

  /** @throws LockstepError `FORBIDDEN` naming the scope that is missing */
  assertKey(action: Action, { resource, text }: Key): void {
    if (this.covers(action, resource.name, text)) return;
    const scope = `${action}:${resource.name}`;
    throw forbidden(
      this.#isPartly(action, resource.name)
        ? `This call needs the scope ${scope} for the key that it names; the caller has it for other keys only.`
        : `This call needs the scope ${scope}.`,
    );
  }

  /**
   * For a call that may reach every key of a resource, or one that is not known yet.
   * @param resource `*`: of every resource
   * @throws LockstepError `FORBIDDEN` naming the scope that is missing
   */
  assertWhole(action: Action, resource: string): void {
    if (this.covers(action, resource, null)) return;
    const scope = `${action}:${resource}`;
    throw forbidden(
      this.#isPartly(action, resource)
        ? `This call needs the scope ${scope} without a key prefix.`
        : `This call needs the scope ${scope}.`,
    );
  }

  /** For an operator's call on one resource. @throws LockstepError `FORBIDDEN` */
  assertOperates(resource: string): void {
    if (!this.hasRole('operator')) this.assertWhole('operate', resource);
  }

  /** What is known before a call's keys are. @throws LockstepError `FORBIDDEN` naming what is missing */
  assertReaches({ role, scopes }: Needs): void {
    if (this.isAdmin) return;
    if (role === 'service') {
      const missing = scopes.find((action) => !this.has(action));
      if (missing !== undefined) throw forbidden(`This call needs a scope ${missing}:RESOURCE.`);
      if (SERVICE_ACTIONS.some((action) => this.has(action))) return;
      throw forbidden('This call needs a scope of a service, such as read:RESOURCE.');
    }
    if (this.hasRole(role) || scopes.some((action) => this.has(action))) return;
    const or = scopes.map((action) => ` or a scope ${action}:RESOURCE`).join('');
    throw forbidden(`This call needs the role ${role}${or}.`);
  }

  #isPartly(action: Action, resource: string): boolean {
    const rules = this.#rules.get(action);
    return rules?.has(resource) === true || rules?.has(ALL_RESOURCES) === true;
  }
}

function isCovered(prefixes: Prefixes | undefined, keyText: string | null): boolean {
  if (prefixes === undefined) return false;
  return prefixes.some((prefix) => prefix === '' || keyText?.startsWith(prefix) === true);
}

const forbidden = (message: string): LockstepError => new LockstepError('FORBIDDEN', message);
