import { isUnchecked } from '../tls/index.ts';
import type { CheckResult } from './check-result.ts';

/** Warns if the server's certificate is not checked: an attacker in between could answer in its place. */
export function checkEncryption({
  url,
  path,
}: {
  url: string;
  path: string;
}): Partial<CheckResult> {
  if (!isUnchecked(url)) return {};
  const message =
    'is encrypted, but the certificate of the server is not checked, so that somebody in between can read along; allowed: the mode verify-full (and ca, where the authority is your own)';
  return { warnings: [{ path, message }] };
}
