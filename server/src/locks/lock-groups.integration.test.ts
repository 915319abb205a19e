import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountKey } from '@lockstep/testkit/doubles/keys';
import type { LockGroups } from './lock-groups.ts';
import { eventually, RealLockNodes } from './testing/real-lock-nodes.ts';

const GROUP_SIZE = 3;
const KEYS = 60;

let real: RealLockNodes;
let nodes: LockGroups;
let lastKey = 0;

beforeAll(async () => {
  real = await RealLockNodes.start({ groups: 2, groupSize: GROUP_SIZE });
  nodes = await real.connect();
});
afterAll(async () => {
  await real.reset();
  await real.stop();
});

/** Lock keys of one group. */
function keysOf(group: number, count: number): string[] {
  const keys: string[] = [];
  while (keys.length < count) {
    const { lockKey } = accountKey(++lastKey);
    if (nodes.groupOf(lockKey) === group) keys.push(lockKey);
  }
  return keys;
}

const killGroup = (group: number): Promise<unknown> =>
  Promise.all([0, 1].map((index) => real.node(group * GROUP_SIZE + index).kill()));
const restartGroup = (group: number): Promise<unknown> =>
  Promise.all([0, 1].map((index) => real.node(group * GROUP_SIZE + index).restart()));

describe('lock nodes in two groups', () => {
  it('share the keys about equally', () => {
    const counts = [0, 0];
    for (let id = 1; id <= 1_000; id++) {
      const group = nodes.groupOf(accountKey(-id).lockKey);
      counts[group] = (counts[group] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(400);
  });

  it('L1: hold a key’s lock on the nodes of its group, and on no other', async () => {
    for (const group of [0, 1]) {
      for (const lockKey of keysOf(group, KEYS / 20)) {
        const grant = await nodes.tryAcquire(lockKey, 60_000);
        if (typeof grant === 'string') throw new Error(grant);
        const isHeld = (await real.values(lockKey)).map((value) => value === grant.token);
        expect(isHeld).toEqual([0, 0, 0, 1, 1, 1].map((of) => of === group));
        expect(await nodes.tryAcquire(lockKey, 60_000)).toBe('contended');
        expect(await nodes.extend(grant, 60_000)).toBe('extended');
        expect(await nodes.release(grant)).toBe('released');
        expect(await nodes.tryAcquire(lockKey, 1_000)).toMatchObject({ lockKey });
      }
    }
  });

  it('are the same for two coordinators', async () => {
    const other = await real.connect();
    const keys = [...keysOf(0, KEYS / 2), ...keysOf(1, KEYS / 2)];
    for (const lockKey of keys) expect(other.groupOf(lockKey)).toBe(nodes.groupOf(lockKey));
    const [lockKey = ''] = keysOf(1, 1);
    expect(await nodes.tryAcquire(lockKey, 60_000)).toBeTypeOf('object');
    expect(await other.tryAcquire(lockKey, 60_000)).toBe('contended');
  });

  it('L3: fail the keys of a group without a majority at once, and no others', async () => {
    const { locks } = await real.coordinator({ waitTimeoutMs: 60_000 });
    await killGroup(1);
    try {
      await eventually(() => nodes.status().filter(({ status }) => status === 'down').length === 2);
      expect(nodes.status().map(({ group }) => group)).toEqual([1, 1, 1, 2, 2, 2]);
      expect(await nodes.untilMajority(0)).toBe(false);
      const purpose = { purpose: 'write' } as const;
      // Calls of both kinds at the same time: answers for the one group must not hide the other's outage.
      let isOver = false;
      const others = (async () => {
        while (!isOver) (await locks.acquire(keyOf(0), purpose)).release();
      })();
      const refused = await locks.acquire(keyOf(1), purpose).catch((error: unknown) => error);
      isOver = true;
      await others;
      expect(refused).toMatchObject({ code: 'LOCKS_UNAVAILABLE' });
    } finally {
      await restartGroup(1);
    }
    expect(await nodes.untilMajority(10_000)).toBe(true);
    await eventually(async () => {
      const [lockKey = ''] = keysOf(1, 1);
      return typeof (await nodes.tryAcquire(lockKey, 1_000)) === 'object';
    });
  });
});

function keyOf(group: number): ReturnType<typeof accountKey> {
  for (;;) {
    const key = accountKey(++lastKey);
    if (nodes.groupOf(key.lockKey) === group) return key;
  }
}
