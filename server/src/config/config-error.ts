import type { FieldFault } from '@lockstep/shared';

/** A configuration that cannot be used: every fault of it. `message` has one line each, `path: what is wrong; what is allowed`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly FieldFault[];

  constructor(faults: readonly FieldFault[]) {
    super(faults.map(formatFault).join('\n'));
    this.faults = faults;
  }
}

/** One line of a fault. */
export function formatFault(fault: FieldFault): string {
  return fault.path === '' ? fault.message : `${fault.path}: ${fault.message}`;
}
