import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Authenticator } from './authentication.ts';
import { bearerOf, digest } from './bearer.ts';

/**
 * Who may read the metrics: everyone, where no token is configured for them. Otherwise whoever shows that token, which
 * opens nothing else, and whoever has the role of a viewer.
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
