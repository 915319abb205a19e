import type { JsonObject } from '@lockstep/shared';
import type { Answer } from './answer.ts';
import { textWithin, withoutValue } from './bounded-answers.ts';
import type { ApiServices, EndpointCall } from './endpoint.ts';
import { assertInsert } from './inserts.ts';
import { preconditionsOf } from './preconditions.ts';

/**
 * `POST /v1/resources/{resource}`: inserts a row. It is served where it arrives, since no coordinator is the home of a key
 * that is not made yet.
 */
export async function runInsert(
  { operations, options }: ApiServices,
  asked: EndpointCall<JsonObject, undefined>,
): Promise<Answer> {
  const conditions = preconditionsOf(asked.request.headers);
  conditions.caller = asked.call.caller;
  const row = operations.newRow(asked.param('resource'), await asked.body());
  assertInsert(asked.call.access, row);
  const answer = await operations.insert(row, conditions);
  if (answer.body === undefined) return answer;
  const text = textWithin(answer.body, options.limits.answerBytes);
  return text === null
    ? { ...answer, body: withoutValue(answer.body) }
    : { status: answer.status, headers: answer.headers ?? {}, text };
}
