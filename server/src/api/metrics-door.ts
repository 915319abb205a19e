import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Authenticator } from './authentication.ts';
import { bearerOf, digest } from './bearer.ts';

/**
 * Decides who may read the metrics. Without a token for them, everyone may. With one, callers must show it or have the
 * role of a viewer. The token opens nothing else.
 */
export class MetricsDoor {
  readonly #token: Buffer | null;
  readonly #auth: Pick<Authenticator, 'authenticate'>;

  /** @param token of `auth.tokens.metrics` */
  constructor(token: string | null, auth: Pick<Authenticator, 'authenticate'>) {
    this.#token = token === null ? null : digest(token);
    this.#auth = auth;
  }

  /** @throws LockstepError `UNAUTHENTICATED`, `FORBIDDEN`, `DATABASE_UNAVAILABLE` */
  async admit(request: IncomingMessage): Promise<void> {
    if (this.#token === null) return;
    const shown = bearerOf(request) ?? '';
    if (timingSafeEqual(digest(shown), this.#token)) return;
    const { access } = await this.#auth.authenticate(request);
    access.assertReaches({ role: 'viewer', scopes: [] });
  }
}
