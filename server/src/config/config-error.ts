import type { FieldFault } from '@lockstep/shared';

/**
 * A configuration that cannot be used, with all its faults. `message` has a line for each: `path: what is wrong;
 * allowed: …`.
 */
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

/**
 * Removes everything before the host from the URLs in a text, and certificates and keys. A password may itself contain
 * `@` and `/`.
 */
export const withoutCredentials = (text: string): string =>
  text
    .replaceAll(/(\w:\/\/)(?!user:password@host)[^\s"'<>]*@/g, '$1…@')
    .replaceAll(/\b(ssl(?:rootcert|cert|key)=)[^&\s"'<>]*/g, '$1…')
    // In the URL of a set of Sentinels.
    .replaceAll(/(sentinel-(?:username|password)=)[^&\s"'<>]*/g, '$1…');

/** One line of a fault. */
export function formatFault(fault: FieldFault): string {
  return fault.path === '' ? fault.message : `${fault.path}: ${fault.message}`;
}
