import type { FieldFault } from '@lockstep/shared';

/** A configuration that cannot be used: every fault of it. `message` has one line each, `path: what is wrong; what is allowed`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly FieldFault[];

  constructor(faults: readonly FieldFault[]) {
    const shown = faults.map(({ path, message }) => ({
      path: withoutCredentials(path),
      message: withoutCredentials(message),
    }));
    super(shown.map(formatFault).join('\n'));
    this.faults = shown;
  }
}

/** A text without what stands before the host in its URLs. A password may hold `@` and `/` itself. */
export const withoutCredentials = (text: string): string =>
  text.replaceAll(/(\w:\/\/)(?!user:password@host)[^\s"'<>]*@/g, '$1…@');

/** One line of a fault. */
export function formatFault(fault: FieldFault): string {
  return fault.path === '' ? fault.message : `${fault.path}: ${fault.message}`;
}
