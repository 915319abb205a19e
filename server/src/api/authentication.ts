import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { LockstepError } from '../domain/index.ts';
import { hostFault, originFault, type OriginRule } from '../edge/index.ts';

/** `service` reads and writes resources; `admin` may do everything. */
export type Role = 'service' | 'admin';

/** Who makes a call. */
export interface Caller {
  role: Role;
  /** Whose calls share bounds: the role at one address. */
  name: string;
}

export interface Authenticator {
  /** Who holds this token; null: nobody. Takes as long for a wrong one as for a right one. */
  roleOf(token: string | undefined): Role | null;
  /** @throws LockstepError `UNAUTHENTICATED`, `FORBIDDEN` */
  authenticate(request: IncomingMessage): Caller;
}

interface AuthenticatorOptions extends Partial<OriginRule> {
  mode: 'required' | 'off';
  tokens: { service: string; admin: string };
}

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i;

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  return options.mode === 'off'
    ? new OpenAuthenticator(options.origins ?? [])
    : new TokenAuthenticator(options.tokens);
}

/** The header that a connection has shown, and whose it is. */
interface Shown {
  authorization: string;
  caller: Caller;
}

class TokenAuthenticator implements Authenticator {
  readonly #service: Buffer;
  readonly #admin: Buffer;
  /** A header that was right is not checked again when its connection repeats it. Wrong ones are never remembered. */
  readonly #shown = new WeakMap<Socket, Shown>();

  constructor(tokens: { service: string; admin: string }) {
    this.#service = digest(tokens.service);
    this.#admin = digest(tokens.admin);
  }

  roleOf(token: string | undefined): Role | null {
    const shown = digest(token ?? '');
    const isService = timingSafeEqual(shown, this.#service);
    const isAdmin = timingSafeEqual(shown, this.#admin);
    return isAdmin ? 'admin' : isService ? 'service' : null;
  }

  authenticate({ socket, headers }: IncomingMessage): Caller {
    const { authorization = '' } = headers;
    const shown = this.#shown.get(socket);
    if (shown?.authorization === authorization) return shown.caller;
    const token = BEARER.exec(authorization)?.[1];
    const role = this.roleOf(token);
    if (role !== null) {
      const caller = callerAt(socket, role);
      this.#shown.set(socket, { authorization, caller });
      return caller;
    }
    throw new LockstepError(
      'UNAUTHENTICATED',
      token === undefined ? 'Send Authorization: Bearer TOKEN.' : 'This token is not known here.',
    );
  }
}

/**
 * Everyone is an admin. So the instance listens on a loopback address only, and checks the page that a browser names as
 * the caller.
 */
class OpenAuthenticator implements Authenticator {
  readonly #rule: OriginRule;

  constructor(origins: readonly string[]) {
    this.#rule = { mode: 'off', origins };
  }

  roleOf(): Role {
    return 'admin';
  }

  authenticate(request: IncomingMessage): Caller {
    const fault = hostFault(request, this.#rule) ?? originFault(request, this.#rule);
    if (fault === null) return callerAt(request.socket, 'admin');
    throw new LockstepError('FORBIDDEN', fault);
  }
}

const callerAt = ({ remoteAddress = '' }: Socket, role: Role): Caller => ({
  role,
  name: `${role} ${remoteAddress}`,
});

/** All digests have the same length, as `timingSafeEqual` needs. */
const digest = (token: string): Buffer => hash('sha256', token, 'buffer');
