/**
 * The meaning of an error reply from Redis.
 *
 * A reply about one key's data (a list where an entry should be, an error in a script) says nothing about the server.
 * Any other error reply means that the server does not do what it is asked: the caller treats it as down.
 */
const ABOUT_ONE_KEY =
  /^(WRONGTYPE|(ERR )?(@?user_script|Error (running|compiling) script|value is|invalid expire|string exceeds|syntax error|wrong number|max (request|value|record|entry) size))/;

/**
 * The server is no longer a master, or no longer knows this client. A new connection resolves the host name again and
 * authenticates.
 */
const WANTS_A_NEW_CONNECTION = /^(READONLY|MASTERDOWN|MOVED|NOAUTH|WRONGPASS)|readonly replica/;

const MAX_LENGTH = 100;

/** The server answered, and refuses to do what it is asked. The message is safe to show to everyone. */
export class RedisRefusal extends Error {
  override readonly name = 'RedisRefusal';
  /** The first word of the reply: `READONLY`, `NOPERM`, `ERR`. */
  readonly code: string;

  /** @param reply the text of the error reply */
  constructor(reply: string) {
    super(withoutSecrets(reply));
    this.code = /^[A-Z]{2,20}/.exec(reply)?.[0] ?? 'ERR';
  }

  get wantsNewConnection(): boolean {
    return WANTS_A_NEW_CONNECTION.test(this.message);
  }
}

export const isAboutOneKey = (reply: string): boolean => ABOUT_ONE_KEY.test(reply);

/** The start of a reply, without arguments (keys and values), addresses and script positions. */
export function withoutSecrets(reply: string): string {
  const [line = ''] = reply.split(/[\r\n]/);
  return line
    .replace(/,? with args beginning.*$/i, '')
    .replace(/\.? script: [0-9a-f]{40}.*$/, '')
    .replace(/@?user_script:\d+:?/g, 'script:')
    .replace(/[\w.-]+:\d{2,5}\b/g, '…')
    .replace(/\d+\.\d+\.\d+\.\d+/g, '…')
    .slice(0, MAX_LENGTH)
    .trim();
}

/** Whether Redis itself sent this error. */
export const isRedisReply = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'ReplyError';
