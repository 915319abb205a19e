import { ERROR_CODES, type ErrorCode } from '@lockstep/shared';
import type { RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import * as wire from './schemas.ts';

const EDGE: ErrorCode[] = ['UNAUTHENTICATED', 'RATE_LIMITED'];
export const BODY: ErrorCode[] = ['MALFORMED', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'INVALID'];
export const KEY: ErrorCode[] = ['UNKNOWN_RESOURCE', 'NOT_FOUND', 'INVALID'];

export const keyPath = z.object({
  resource: z.string(),
  key: z
    .string()
    .meta({ description: 'The key’s parts, each percent-encoded, joined by a bare comma.' }),
});

export const jsonBody = (schema: z.ZodType) => ({
  content: { 'application/json': { schema } },
  required: true,
});
export const answer = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
});

const routed = z.object({
  'Lockstep-Instance': z.string().meta({ description: 'The coordinator that answered.' }),
  'Lockstep-Home': z.string().optional().meta({
    description: 'The address that this key’s calls are best sent to, where that is another one.',
  }),
});
/** Of a call of one key. */
export const keyAnswer = (description: string, schema: z.ZodType) => ({
  ...answer(description, schema),
  headers: routed,
});

/** Problem answers by status, each with the codes that it can carry. */
export function problems(codes: readonly ErrorCode[]): RouteConfig['responses'] {
  const byStatus = new Map<number, Set<ErrorCode>>();
  for (const code of [...EDGE, ...codes]) {
    const { status } = ERROR_CODES[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  return Object.fromEntries(
    [...byStatus].map(([status, all]) => [
      status,
      {
        description: [...all].join(', '),
        content: { 'application/problem+json': { schema: wire.problem } },
      },
    ]),
  );
}

/** One call of the API, as the document has it. */
export type Call = Pick<RouteConfig, 'method' | 'path' | 'summary' | 'request' | 'responses'>;
