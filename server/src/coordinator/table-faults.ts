import type { FieldFault } from '@lockstep/shared';
import { unfitState } from '../database/index.ts';
import { LockstepError, type Resource } from '../domain/index.ts';
import type { Log } from '../runtime/index.ts';

/** The reasons, as of the last check, why tables do not fit their resources. Each is logged once. */
export class TableFaults {
  readonly #log: Log;
  #byResource: ReadonlyMap<string, string> = new Map();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Whether any resource has a fault. */
  get areThere(): boolean {
    return this.#byResource.size > 0;
  }

  has(resource: string): boolean {
    return this.#byResource.has(resource);
  }

  /** One line for each resource. */
  get lines(): string[] {
    return [...this.#byResource].map(([name, fault]) => `${name}: ${fault}`);
  }

  note(faults: readonly FieldFault[]): void {
    const found = new Map<string, string>();
    for (const { path, message } of faults) {
      const [, name = '', field = ''] = path.split('.');
      found.set(name, `${field} ${message}`);
      if (this.#byResource.get(name) !== found.get(name))
        this.#log.error({ path, fault: message }, 'a table no longer fits its resource');
    }
    for (const name of this.#byResource.keys()) {
      if (!found.has(name))
        this.#log.info({ resource: name }, 'the table of a resource fits again');
    }
    this.#byResource = found;
  }

  /** @throws LockstepError `DATABASE_UNAVAILABLE` if the resource's table does not fit */
  assertNone({ name }: Resource): void {
    const fault = this.#byResource.get(name);
    if (fault === undefined) return;
    const text = `The table of ${name} does not fit its configuration now: ${fault}. Nothing was applied.`;
    throw new LockstepError('DATABASE_UNAVAILABLE', text);
  }
}

/** The resource while its table does not fit. Its entries are swept now, and again when the table fits. */
export const withoutTable = (resource: Resource): Resource =>
  Object.freeze({ ...resource, tables: unfitState(resource.tables?.server ?? '') });
