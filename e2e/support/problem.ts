import { ERROR_CODES, type ErrorCode, type Outcome } from '@lockstep/shared';
import { expect } from 'vitest';
import type { Answer } from './api-client.ts';

/** Traces, file names of the program and words of drivers that no answer may show. */
const LEAKS = /\n\s+at |node_modules|\.(m?[jt]s):\d+|\bSELECT\b|\bINSERT INTO\b|ECONNREFUSED/;

/** Checks a problem document whole: its status, media type, fields, retry advice, and that nothing leaks. */
export function expectProblem(
  answer: Answer,
  code: ErrorCode,
  outcome: Outcome = 'not_applied',
): void {
  const { status, retryable } = ERROR_CODES[code];
  expect({
    status: answer.status,
    code: answer.body.code,
    detail: answer.body.detail,
  }).toMatchObject({
    status,
    code,
  });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({ status, code, outcome, retryable });
  for (const field of ['type', 'title', 'detail', 'requestId'] as const) {
    expect(answer.body[field], `problem.${field}`).toEqual(expect.any(String));
    expect(answer.body[field]).not.toBe('');
  }
  if (retryable) expect(answer.headers['retry-after']).toMatch(/^\d+$/);
  expect(answer.text).not.toMatch(LEAKS);
}
