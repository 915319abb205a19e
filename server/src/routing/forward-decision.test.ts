import { describe, expect, it } from 'vitest';
import type { PeerResult } from './port.ts';
import { decideOn, type ForwardDecision, type JudgedCall } from './forward-decision.ts';

const READ: JudgedCall = {
  ...{ instance: 'two', why: 'home', kind: 'read', hasIdempotencyKey: false },
};
const WRITE: JudgedCall = { ...READ, kind: 'write' };
const KEYED: JudgedCall = { ...WRITE, hasIdempotencyKey: true };
const LEASED: JudgedCall = { ...KEYED, why: 'lease' };

const NOT_SENT: PeerResult = { kind: 'not-sent', reason: 'ECONNREFUSED' };
const UNANSWERED: PeerResult = { kind: 'unanswered', reason: 'no answer in time' };

function answered(status: number, body: unknown, headers: Record<string, string> = {}): PeerResult {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return { kind: 'answered', answer: { status, headers, rawHeaders: [], bytes } };
}
const FROM_MEMBER = { 'lockstep-instance': 'two' };
const PROBLEM = { 'content-type': 'application/problem+json' };
const refused = (code: string, outcome = 'not_applied', headers = {}): PeerResult =>
  answered(503, { code, outcome }, { ...PROBLEM, ...headers });

type Row = [string, PeerResult, JudgedCall, ForwardDecision];

describe('the decision on a forwarded call', () => {
  it.each<Row>([
    ['a read that was not sent', NOT_SENT, READ, 'here'],
    ['a write that was not sent', NOT_SENT, WRITE, 'here'],
    ['a leased write that was not sent', NOT_SENT, LEASED, 'unreached'],
    ['a read without an answer', UNANSWERED, READ, 'here'],
    ['a write without an answer', UNANSWERED, WRITE, 'unknown'],
    ['a write with an idempotency key and no answer', UNANSWERED, KEYED, 'repeat'],
    ['a leased write without an answer, whatever its key', UNANSWERED, LEASED, 'unknown'],
  ])('%s (H6)', (_title, result, call, decision) => {
    expect(decideOn(result, call)).toBe(decision);
  });

  it.each<Row>([
    ['success', answered(200, {}, FROM_MEMBER), WRITE, 'pass'],
    [
      'a refusal of the call',
      refused('PRECONDITION_FAILED', 'not_applied', FROM_MEMBER),
      WRITE,
      'pass',
    ],
    ['an unknown outcome', refused('OUTCOME_UNKNOWN', 'unknown', FROM_MEMBER), KEYED, 'pass'],
    ['a timeout at the lock', refused('LOCK_TIMEOUT', 'not_applied', FROM_MEMBER), WRITE, 'pass'],
    ['that the member stops', refused('SHUTTING_DOWN', 'not_applied', FROM_MEMBER), WRITE, 'here'],
    ['that another instance was meant', refused('MISDIRECTED'), WRITE, 'here'],
    [
      'that another instance than the lease’s is there',
      refused('MISDIRECTED'),
      LEASED,
      'unreached',
    ],
    ['other tokens there', refused('UNAUTHENTICATED'), WRITE, 'here'],
    [
      'other tokens there than where the lease is shown',
      refused('UNAUTHENTICATED'),
      LEASED,
      'unreached',
    ],
    ['fewer resources there', refused('UNKNOWN_RESOURCE'), READ, 'here'],
    ['too many failed sign-ins there', refused('RATE_LIMITED'), WRITE, 'here'],
    ['not-applied by a stopping member of a lease', refused('SHUTTING_DOWN'), LEASED, 'pass'],
  ])('on an answer: %s', (_title, result, call, decision) => {
    expect(decideOn(result, call)).toBe(decision);
  });

  it.each<Row>([
    [
      'success from another instance than it was sent to',
      answered(200, {}, { 'lockstep-instance': 'three' }),
      WRITE,
      'unknown',
    ],
    ['a page of something else', answered(200, '<html>'), WRITE, 'unknown'],
    [
      'a page of something else, to a write that may be repeated',
      answered(502, ''),
      KEYED,
      'repeat',
    ],
    ['a page of something else, to a read', answered(404, ''), READ, 'here'],
    ['a problem that is not one', answered(500, 'nonsense', PROBLEM), WRITE, 'unknown'],
    [
      'a stranger that claims an unknown outcome',
      refused('SHUTTING_DOWN', 'unknown'),
      WRITE,
      'unknown',
    ],
    ['a stranger where a lease is', answered(200, '{}'), LEASED, 'unknown'],
  ])('holds no stranger’s answer for a member’s: %s (H6, H9)', (_title, result, call, decision) => {
    expect(decideOn(result, call)).toBe(decision);
  });
});
