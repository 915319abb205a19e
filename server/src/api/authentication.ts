import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { LockstepError } from '../domain/index.ts';
import { hostFault, originFault, type OriginRule } from '../edge/index.ts';
import { Access, type KnownKeys, prefixOf, type ShownKey } from '../identities/index.ts';
import { bearerOf, digest } from './bearer.ts';

/** Who makes a call. */
export interface Caller {
  access: Access;
  /** Whose calls share bounds: the identity at one address. */
  name: string;
}

export interface Authenticator {
  /**
   * What the holder of a token may do; null: it is nobody's.
   * @throws LockstepError `DATABASE_UNAVAILABLE` where it is a key, and nobody knows whether it is valid
   */
  accessOf(token: string | undefined): Promise<Access | null>;
  /** The same for a token that was somebody's before, by what is known now; null also where nothing is known of keys. */
  presentAccessOf(token: string | undefined): Access | null;
  /**
   * Who makes the call: at once, or after a look at the keys for one that is not known.
   * @throws LockstepError `UNAUTHENTICATED`, `FORBIDDEN`, `DATABASE_UNAVAILABLE`
   */
  authenticate(request: IncomingMessage): Caller | Promise<Caller>;
}

type Keys = Pick<KnownKeys, 'holderOf' | 'soughtHolderOf'>;

interface AuthenticatorOptions extends Partial<OriginRule> {
  mode: 'required' | 'off';
  tokens: { service: string; admin: string };
  /** API keys; absent: none. */
  keys?: Keys | null;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  return options.mode === 'off'
    ? new OpenAuthenticator(options.origins ?? [])
    : new TokenAuthenticator(options.tokens, options.keys ?? null);
}

/** The header that a connection has shown, and whose it is. */
interface Shown {
  authorization: string;
  caller: Caller;
}

class TokenAuthenticator implements Authenticator {
  readonly #service: Buffer;
  readonly #admin: Buffer;
  readonly #keys: Keys | null;
  /**
   * A header with a configured token is not checked again when its connection repeats it. Keys may end at any moment, and
   * are checked each time. Wrong tokens are never remembered.
   */
  readonly #shown = new WeakMap<Socket, Shown>();

  constructor(tokens: { service: string; admin: string }, keys: Keys | null) {
    this.#service = digest(tokens.service);
    this.#admin = digest(tokens.admin);
    this.#keys = keys;
  }

  async accessOf(token: string | undefined): Promise<Access | null> {
    const hashed = digest(token ?? '');
    const configured = this.#configured(hashed);
    const key = this.#keyIn(token, hashed);
    if (configured !== null || key === null) return configured;
    const { keys, shown } = key;
    return (keys.holderOf(shown) ?? (await keys.soughtHolderOf(shown)))?.access ?? null;
  }

  presentAccessOf(token: string | undefined): Access | null {
    const hashed = digest(token ?? '');
    const key = this.#keyIn(token, hashed);
    try {
      return this.#configured(hashed) ?? key?.keys.holderOf(key.shown)?.access ?? null;
    } catch (error) {
      if (error instanceof LockstepError) return null;
      throw error;
    }
  }

  authenticate(request: IncomingMessage): Caller | Promise<Caller> {
    const { socket, headers } = request;
    const { authorization = '' } = headers;
    const repeated = this.#shown.get(socket);
    if (repeated?.authorization === authorization) return repeated.caller;
    const token = bearerOf(request);
    if (token === undefined)
      throw new LockstepError('UNAUTHENTICATED', 'Send Authorization: Bearer TOKEN.');
    const hashed = digest(token);
    const access = this.#configured(hashed);
    if (access !== null) {
      const caller = callerAt(socket, access, access.isAdmin ? 'admin' : 'service');
      this.#shown.set(socket, { authorization, caller });
      return caller;
    }
    const key = this.#keyIn(token, hashed);
    if (key === null) throw unknownToken();
    const { keys, shown } = key;
    const holder = keys.holderOf(shown);
    return holder === null
      ? sought(socket, keys, shown)
      : callerAt(socket, holder.access, holder.id);
  }

  /** What a configured token allows. Takes as long for a wrong one as for a right one. */
  #configured(hashed: Buffer): Access | null {
    const isService = timingSafeEqual(hashed, this.#service);
    const isAdmin = timingSafeEqual(hashed, this.#admin);
    return isAdmin ? Access.ADMIN : isService ? Access.SERVICE : null;
  }

  /** Null if the token does not have the form of a key, or if there are no keys. */
  #keyIn(token: string | undefined, hashed: Buffer): { keys: Keys; shown: ShownKey } | null {
    const prefix = token === undefined ? null : prefixOf(token);
    if (prefix === null || this.#keys === null) return null;
    return { keys: this.#keys, shown: { prefix, digest: hashed } };
  }
}

/** Of a key that is not known yet. */
async function sought(socket: Socket, keys: Keys, shown: ShownKey): Promise<Caller> {
  const holder = await keys.soughtHolderOf(shown);
  if (holder === null) throw unknownToken();
  return callerAt(socket, holder.access, holder.id);
}

/** The same for all that are not, no more or not yet somebody's. */
const unknownToken = (): LockstepError =>
  new LockstepError('UNAUTHENTICATED', 'This token is not known here.');

/**
 * Everyone is an admin. So the instance listens on a loopback address only, and checks the page that a browser names as
 * the caller.
 */
class OpenAuthenticator implements Authenticator {
  readonly #rule: OriginRule;

  constructor(origins: readonly string[]) {
    this.#rule = { mode: 'off', origins };
  }

  accessOf(): Promise<Access> {
    return Promise.resolve(Access.ADMIN);
  }

  presentAccessOf(): Access {
    return Access.ADMIN;
  }

  authenticate(request: IncomingMessage): Caller {
    const fault = hostFault(request, this.#rule) ?? originFault(request, this.#rule);
    if (fault === null) return callerAt(request.socket, Access.ADMIN, 'admin');
    throw new LockstepError('FORBIDDEN', fault);
  }
}

const callerAt = ({ remoteAddress = '' }: Socket, access: Access, identity: string): Caller => ({
  access,
  name: `${identity} ${remoteAddress}`,
});
