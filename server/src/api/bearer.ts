/** The token that a request shows ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750), section 2.1). */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const BEARER = /^Bearer +([\x21-\x7e]+) *$/i;

/** Undefined where it shows none. */
export const bearerOf = ({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined =>
  BEARER.exec(headers.authorization ?? '')?.[1];

/** All digests have the same length, as `timingSafeEqual` needs. */
export const digest = (token: string): Buffer => hash('sha256', token, 'buffer');
