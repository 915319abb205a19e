import { createHash } from 'node:crypto';
import { jsonText, type JsonValue } from '@lockstep/shared';

/**
 * The entity tag of a query's answer, which has no version: what it says, digested. It begins in a way in which no row's
 * does, so that `If-Match` never takes one for the other.
 */
export const answerTagText = (value: JsonValue): string =>
  `"q.${createHash('sha256')
    .update(jsonText([value]))
    .digest('base64url')
    .slice(0, 22)}"`;
