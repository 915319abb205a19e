import { withoutCredentials } from '../config/index.ts';

/** An error's message in one line, with that of its cause where it has none itself; never a URL's user and password. */
export function lineOf(error: unknown): string {
  if (!(error instanceof Error)) return withoutCredentials(String(error));
  const message =
    error.message === '' && error.cause !== undefined ? lineOf(error.cause) : error.message;
  const [line = ''] = message.split('\n', 1);
  return line === '' ? error.name : withoutCredentials(line);
}
