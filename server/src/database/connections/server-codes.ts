/** What servers and drivers say in errors, which may be wrapped in others. */

const MAX_DEPTH = 6;

/** The codes of servers and drivers in an error and its causes, the innermost last. */
export function serverCodes(error: unknown): string[] {
  return chainOf(error).flatMap((inner) => codeOf(inner) ?? []);
}

/** The error and its causes, the innermost last. */
export function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  let at: unknown = error;
  while (at instanceof Error && chain.length < MAX_DEPTH) {
    chain.push(at);
    at = at.cause ?? (at instanceof AggregateError ? at.errors[0] : undefined);
  }
  return chain;
}

/** SQLSTATE, or the server's or Node's own code; of Redis the first word of its reply. Null: it has none. */
export function codeOf(error: Error): string | null {
  if (error.name === 'ReplyError') return /^\S+/.exec(error.message)?.[0] ?? null;
  if ('errno' in error && 'sqlState' in error) return String(error.errno);
  return 'code' in error && typeof error.code === 'string' ? error.code : null;
}
