import { afterAll, describe, expect, test } from 'vitest';
import type { Answer, ApiClient } from '../support/api-client.ts';
import { expectProblem } from '../support/problem.ts';
import { replicated, ReplicatedServers } from '../support/replicated-servers.ts';
import { useInstance } from '../support/shared-instance.ts';
import { newId } from '../support/shop.ts';

const servers = new ReplicatedServers();
// Registered before the instances', so that it runs after them.
afterAll(() => servers.stop());

/** Two coordinators. */
const here = useInstance(() => servers.world());
const there = useInstance(() => servers.world());
const nameOf = ({ body }: Answer): unknown => body.value?.['name'];
const withToken = (token: string | undefined) => ({
  headers: { 'Lockstep-Token': token ?? 'none was given' },
});

describe('a token (G4)', () => {
  test('of a write makes every coordinator answer that write, whether it is sent in the body or a header', async () => {
    const id = newId();
    await servers.whilePaused(async () => {
      const written = await here.api.put('profile', id, { name: 'mine' });
      const { token } = written.body;
      expect(written.headers['lockstep-token']).toBe(token);
      for (const answer of [
        await there.api.get('profile', id, `?token=${token}`),
        await there.api.get('profile', id, '', withToken(token)),
      ]) {
        expect(nameOf(answer)).toBe('mine');
        expect(answer.headers['lockstep-token']).toBe(answer.body.token);
      }
    });
  });

  test('overrides a cached value that is older than the token, and refreshes it for all', async () => {
    const id = await replicated('old', here.api, there.api);
    await here.api.get('profile', id);
    await here.behind.sql("UPDATE profiles SET name = 'seen' WHERE id = ?", [id]);
    const seen = await here.api.get('profile', id, '?consistency=primary');
    expect(nameOf(seen)).toBe('seen');
    expect(nameOf(await there.api.get('profile', id))).toBe('old');
    const again = await there.api.get('profile', id, '', withToken(seen.body.token));
    expect(nameOf(again)).toBe('seen');
    expect(nameOf(await there.api.get('profile', id))).toBe('seen');
    // A fill may be refused, as where the replica is late: a read after it fills.
    await expect
      .poll(async () => {
        const { body } = await here.api.get('profile', id, '', withToken(again.body.token));
        expect(body.value).toMatchObject({ name: 'seen' });
        return body.source;
      })
      .toBe('cache');
  });

  test('covers other keys too: a reader that saw the last of several writes sees the first', async () => {
    const [first, last] = [
      await replicated('a0', here.api, there.api),
      await replicated('b0', here.api, there.api),
    ];
    await here.api.get('profile', first);
    await servers.whilePaused(async () => {
      await here.behind.sql("UPDATE profiles SET name = 'a1' WHERE id = ?", [first]);
      const written = await here.api.patch('profile', last, { name: 'b1' });
      const answer = await there.api.get('profile', first, '', withToken(written.body.token));
      expect(nameOf(answer)).toBe('a1');
    });
  });

  test('never lets a session go backwards, over both coordinators, with replay paused and resumed', async () => {
    const id = newId();
    await here.api.put('profile', id, { name: 'counted', visits: 0 });
    let visits = 0;
    let isDone = false;
    const session = async (apis: readonly ApiClient[]): Promise<number[]> => {
      const seen: number[] = [];
      let token: string | undefined;
      for (let step = 0; !isDone; step += 1) {
        const api = apis[step % apis.length] ?? here.api;
        const options = token === undefined ? {} : withToken(token);
        const query = step % 5 === 4 ? '?consistency=primary' : '';
        const answer = await api.get('profile', id, query, options);
        expect(answer.status, answer.text).toBe(200);
        seen.push(Number(answer.body.value?.['visits']));
        token = answer.body.token;
      }
      return seen;
    };
    const sessions = [
      session([here.api, there.api]),
      session([there.api, here.api]),
      session([there.api]),
    ];
    for (let round = 0; round < 6; round += 1) {
      if (round % 2 === 0) await servers.replica.pauseReplay();
      else await servers.replica.resumeReplay();
      for (let write = 0; write < 15; write += 1) {
        visits += 1;
        const change = 'UPDATE profiles SET visits = visits + 1 WHERE id = ?';
        if (write % 3 === 0) await here.behind.sql(change, [id]);
        else await here.api.patch('profile', id, { $inc: { visits: 1 } });
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
    }
    isDone = true;
    for (const seen of await Promise.all(sessions)) {
      expect(seen.length).toBeGreaterThan(20);
      expect(seen).toEqual([...seen].sort((one, other) => one - other));
      expect(seen.at(-1)).toBeLessThanOrEqual(visits);
    }
  });

  test('comes with the answer that there is no row, and with a transaction', async () => {
    const absent = await here.api.get('profile', newId());
    expectProblem(absent, 'NOT_FOUND');
    expect(absent.headers['lockstep-token']).toBe(absent.body.token);
    const id = newId();
    const operations = [{ op: 'put', resource: 'profile', key: id, value: { name: 'both' } }];
    const done = await here.api.post('/v1/transactions', { operations });
    const answer = await there.api.get('profile', id, '', withToken(done.body.token));
    expect(nameOf(answer)).toBe('both');
  });

  test('comes with every kind of write, repeated or under a lease or in a batch, and covers it', async () => {
    const [plain, last] = [newId(), newId()];
    const held = { resource: 'account', key: newId(), ttl: '5s' };
    const lease = await here.api.post('/v1/leases', held);
    const row = { owner: 'ada', balance: 1 };
    const { id } = JSON.parse(lease.text) as { id: string };
    const under = { 'Lockstep-Lease': id };
    const repeated = { 'Idempotency-Key': `token-${plain}` };
    await servers.whilePaused(async () => {
      await here.api.put('profile', plain, { name: 'once' }, repeated);
      const operations = [{ op: 'put', resource: 'profile', key: last, value: { name: 'last' } }];
      const batch = await here.api.post('/v1/batch', { operations });
      const [batched] = batch.body.results ?? [];
      const tokens = [
        (await here.api.put('account', held.key, row, under)).body.token,
        (await there.api.put('profile', plain, { name: 'once' }, repeated)).body.token,
        batched?.token,
      ];
      for (const token of tokens) {
        const text = Buffer.from(token ?? '', 'base64url').toString();
        // Both positions are known: bytes of the log, and its timeline.
        expect(text).toMatch(/^1\|\d+@1\|\d+@1\|/);
        expect(nameOf(await there.api.get('profile', plain, '', withToken(token)))).toBe('once');
      }
    });
  });

  test('is refused if it is malformed, or names a position that the database never reached', async () => {
    const forged = (text: string): string => Buffer.from(text).toString('base64url');
    const id = newId();
    await here.api.put('profile', id, { name: 'x' });
    for (const token of ['!', 'nonsense', forged('1|x|y'), forged('2||'), forged('1|5|5|k.1')]) {
      expectProblem(await here.api.get('profile', id, '', withToken(token)), 'INVALID');
    }
    const ahead = forged('1||9999999999999999');
    const answer = await here.api.get('profile', id, '', withToken(ahead));
    expectProblem(answer, 'INVALID');
    expect(answer.body.errors).toEqual([
      { path: 'token', message: expect.stringContaining('has not come to') as string },
    ]);
  });
});
