/**
 * What an error that Redis answered means.
 *
 * A reply about one key's data (a list where an entry should be, a fault of a script) says nothing about the server.
 * Every other one says that the server does not do what it is asked, whatever its words are: it counts as away.
 */
const ABOUT_ONE_KEY =
  /^(WRONGTYPE|(ERR )?(@?user_script|Error (running|compiling) script|value is|invalid expire|string exceeds|syntax error|wrong number|max (request|value|record|entry) size))/;

/** The server is no master (any more), or does not know who asks: a new connection asks the name again, and signs in. */
const WANTS_A_NEW_CONNECTION = /^(READONLY|MASTERDOWN|MOVED|NOAUTH|WRONGPASS)|readonly replica/;

const MAX_LENGTH = 100;

/** The server answered, and refuses to do what it is asked. Its message is safe for everyone. */
export class RedisRefusal extends Error {
  override readonly name = 'RedisRefusal';
  /** The first word of the reply: `READONLY`, `NOPERM`, `ERR`. */
  readonly code: string;

  /** @param reply the text of the answer */
  constructor(reply: string) {
    super(withoutSecrets(reply));
    this.code = /^[A-Z]{2,20}/.exec(reply)?.[0] ?? 'ERR';
  }

  get wantsNewConnection(): boolean {
    return WANTS_A_NEW_CONNECTION.test(this.message);
  }
}

export const isAboutOneKey = (reply: string): boolean => ABOUT_ONE_KEY.test(reply);

/** The beginning of a reply, without arguments (keys and values), addresses and what a script adds. */
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

/** An error that Redis itself answered. */
export const isRedisReply = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'ReplyError';
