import { expect, it } from 'vitest';
import { failureOf } from '../test/support/heard.ts';
import { startStub, type StubAnswer } from '../test/support/stub-coordinator.ts';
import { createClient } from './index.ts';

const GRANT = {
  id: 'one~1',
  keys: [{ resource: 'account', key: '42', fence: 7, version: 3 }],
  expiresAt: '2026-01-02T03:04:05.000Z',
  database: 'pg',
};
const problem = (status: number, code: string, more: object): StubAnswer => ({
  status,
  body: { type: 'about:blank', title: code, status, detail: code, code, retryable: false, ...more },
});
const lost = (outcome: string): StubAnswer => problem(409, 'GUARD_LOST', { outcome });
const committed = 'the work returned';

/** A guard whose first word about its end gets no good answer, and whose repeat gets this one. */
async function told(repeat: StubAnswer, work: () => Promise<string>): Promise<unknown> {
  let tries = 0;
  const stub = await startStub((path) => {
    if (path === '/v1/guards') return { status: 201, body: GRANT };
    tries += 1;
    const noAnswer = problem(504, 'OUTCOME_UNKNOWN', { outcome: 'unknown', retryable: true });
    return tries === 1 ? noAnswer : repeat;
  });
  const client = createClient({ url: stub.url, token: 'secret', timeoutMs: 60_000 });
  try {
    return await client.guard([['account', 42]], work);
  } finally {
    await client.close();
    await stub.close();
  }
}

const returns = () => Promise.resolve(committed);
const throws = () => Promise.reject(new Error('the work failed'));

it('W23: a guard that is lost without a commit fails, also if an earlier word about it had no answer', async () => {
  expect(await failureOf(told(lost('not_applied'), returns))).toMatchObject({
    ...{ code: 'GUARD_LOST', outcome: 'not_applied' },
  });
});

it('W23: work that failed after its commit is told as applied, also if an earlier word had no answer', async () => {
  expect(await failureOf(told(lost('applied'), throws))).toMatchObject({
    ...{ code: 'GUARD_LOST', outcome: 'applied', cause: { message: 'the work failed' } },
  });
});

it('a repeat that meets no guard any more says that the earlier word was heard', async () => {
  const unknown = problem(404, 'UNKNOWN_GUARD', { outcome: 'not_applied' });
  expect(await told(unknown, returns)).toBe(committed);
  expect(await failureOf(told(unknown, throws))).toMatchObject({ message: 'the work failed' });
});
