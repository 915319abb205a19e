/** Deepest chain of causes. */
const MAX_DEPTH = 5;
/** What drivers say of a failure beside its text. Names of tables, columns and constraints are no values. */
const FACTS = [
  ...['code', 'errno', 'sqlState', 'severity', 'schema', 'table', 'column', 'dataType'],
  ...['constraint', 'routine', 'syscall', 'address', 'port', 'hostname'],
] as const;

/** Errors whose texts Lockstep wrote. */
const OURS = new Set(['LockstepError', 'ConfigError', 'PositionLost']);
/** Codes whose texts may hold what a trigger or a caller wrote. */
const OF_THE_CALLER = new Set<unknown>(['CONSTRAINT', 'INVALID', 'MALFORMED']);

/**
 * An error as the log shows it: its kind, its code, where it came from and what caused it. Its text stands there only
 * where Lockstep wrote it: a database's or a driver's quotes rows (`Key (email)=(…) already exists`), statements with
 * their values, and commands with a password; so does that of a parser or a type error.
 */
export function shownError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const shown: Record<string, unknown> = { type: error.name };
  const facts = new Map<string, unknown>(Object.entries(error));
  if (OURS.has(error.name) && !OF_THE_CALLER.has(facts.get('code')))
    shown['message'] = error.message;
  else if (error.name === 'ReplyError') shown['reply'] = /^[A-Z]+/.exec(error.message)?.[0];
  for (const name of FACTS) {
    const value = facts.get(name);
    if (typeof value === 'string' || typeof value === 'number') shown[name] = value;
  }
  const frames = framesOf(error);
  if (frames !== '') shown['stack'] = frames;
  if (error.cause !== undefined && depth < MAX_DEPTH)
    shown['cause'] = shownError(error.cause, depth + 1);
  return shown;
}

/** Where an error came from. Its text, which begins the stack, may look like frames itself. */
function framesOf({ message, stack = '' }: Error): string {
  const at = message === '' ? -1 : stack.indexOf(message);
  const behind = at < 0 ? stack : stack.slice(at + message.length);
  return behind
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');
}
