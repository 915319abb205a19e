/** Lock nodes in two groups (`locks.groupSize`): each has the locks of its own keys. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, timed } from '@lockstep/testkit/poll';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL, SHORT_LOCKS } from '../support/shop.ts';

const GROUPS = 2;
const GROUP_SIZE = 3;
const RECOVERY = { withinMs: 60_000, everyMs: 100 };
/** What a refused call may take: a caller that waits for a lock waits for 5 s. */
const ANSWER_BOUND_MS = 4_500;
/** So many keys are in one group only once in a million runs. */
const KEYS = 20;

let nodes: TestRedis[] = [];
beforeAll(async () => {
  nodes = await Promise.all(Array.from({ length: GROUPS * GROUP_SIZE }, () => startRedis()));
});
afterAll(() => Promise.all(nodes.map((node) => node.stop())));

const bed = useInstance(() => ({
  config: embeddedShop({
    locks: { ...SHORT_LOCKS, nodes: nodes.map(({ url }) => url), groupSize: GROUP_SIZE },
  }),
  files: { 'shop.sql': SHOP_SQL.pg },
}));

describe('lock nodes in two groups', () => {
  test('one without a majority: strict writes of its keys are refused, all others go on', async () => {
    const ids = Array.from({ length: KEYS }, newId);
    for (const id of ids)
      expect((await bed.api.put('account', id, { owner: 'a' })).status).toBe(201);
    await Promise.all(nodes.slice(GROUP_SIZE + 1).map((node) => node.kill()));
    const refused = new Set<number>();
    await eventually(async () => {
      const { text } = await bed.anonymous.call('GET', '/readyz?verbose');
      expect(text).toMatch(
        /lock-5.*2 of 3 lock nodes of group 2 down; strict writes of this group’s keys answer LOCKS_UNAVAILABLE/,
      );
    }, RECOVERY);
    for (const id of ids) {
      const { result, tookMs } = await timed(() => bed.api.patch('account', id, { owner: 'b' }));
      expect(tookMs).toBeLessThan(ANSWER_BOUND_MS);
      if (result.status === 200) continue;
      expectProblem(result, 'LOCKS_UNAVAILABLE');
      expect(result.body.outcome).toBe('not_applied');
      refused.add(id);
    }
    expect(refused.size).toBeGreaterThan(0);
    expect(refused.size).toBeLessThan(KEYS);
    // A transaction needs the locks of all its keys: it changes all of them, or none.
    const [free = 0] = ids.filter((id) => !refused.has(id));
    const [stuck = 0] = refused;
    const operations = [free, stuck].map((key) => ({
      ...{ op: 'patch', resource: 'account', key },
      value: { owner: 'c' },
    }));
    expectProblem(
      await bed.api.call('POST', '/v1/transactions', { body: { operations } }),
      'LOCKS_UNAVAILABLE',
    );
    expect((await bed.api.get('account', free)).body.value).toMatchObject({ owner: 'b' });
    await Promise.all(nodes.slice(GROUP_SIZE + 1).map((node) => node.restart()));
    for (const id of refused) {
      await eventually(async () => {
        const patched = await bed.api.patch('account', id, { owner: 'd' });
        expect(patched.body).toMatchObject({ version: 2, outcome: 'applied' });
      }, RECOVERY);
    }
  });
});
