import { beforeEach, describe, expect, test } from 'vitest';
import { untilAllIsWell } from '../support/all-well.ts';
import { eventually, timed } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const bed = useInstance(() => ({ config: embeddedShop(), files: { 'shop.sql': SHOP_SQL.pg } }));

beforeEach(() => untilAllIsWell(bed));

const RECOVERY = { withinMs: 90_000, everyMs: 100 };

async function newAccount(): Promise<number> {
  const id = newId();
  expect((await bed.api.put('account', id, { owner: 'old' })).status).toBe(201);
  return id;
}

/** What a call may take that waits for no node: another one waits for 5 s. */
const ANSWER_BOUND_MS = 4_500;

/** Several strict writes in a row, none of them slow. */
async function expectStrictWrites(): Promise<void> {
  const id = newId();
  for (let version = 1; version <= 5; version++) {
    const { result, tookMs } = await timed(() =>
      bed.api.put('account', id, { owner: `v${version}` }),
    );
    expect(result.body).toMatchObject({ version, cache: 'fresh' });
    expect(tookMs).toBeLessThan(ANSWER_BOUND_MS);
  }
}

async function expectNoMajority(id: number): Promise<void> {
  const { result, tookMs } = await timed(() =>
    Promise.all([
      bed.api.patch('account', id, { owner: 'new' }),
      bed.api.get('account', id),
      bed.api.put('profile', id, { name: 'Ada' }),
      bed.anonymous.call('GET', '/readyz'),
    ]),
  );
  const [strict, read, deleteAfterWrite, ready] = result;
  expect(tookMs).toBeLessThan(ANSWER_BOUND_MS);
  expectProblem(strict, 'LOCKS_UNAVAILABLE');
  expect(read.body).toMatchObject({ version: 1, value: { owner: 'old' } });
  expect(deleteAfterWrite.body).toMatchObject({ outcome: 'applied', cache: 'invalidated' });
  expect(ready.status).toBe(200);
}

describe('lock nodes', () => {
  test('one down: strict writes go on', async () => {
    await bed.instance.killServer('lock-0');
    await expectStrictWrites();
    await eventually(
      async () => expect(await bed.behind.lockNodes[0]?.ping()).toBe('PONG'),
      RECOVERY,
    );
  });

  test('one hanging: strict writes go on', async () => {
    bed.instance.pauseServer('lock-1');
    try {
      await expectStrictWrites();
    } finally {
      bed.instance.resumeServer('lock-1');
    }
    await expectStrictWrites();
  });

  test('two down: strict writes are refused, all else goes on; strict recovers with the nodes', async () => {
    const id = await newAccount();
    await Promise.all([bed.instance.killServer('lock-0'), bed.instance.killServer('lock-2')]);
    await expectNoMajority(id);
    await eventually(async () => {
      expect((await bed.api.patch('account', id, { owner: 'after' })).body.version).toBe(2);
    }, RECOVERY);
    await expectStrictWrites();
    // Both come back at the same moment, and runtime.json must name both.
    await untilAllIsWell(bed);
  });

  test('two hanging: the same', async () => {
    const id = await newAccount();
    bed.instance.pauseServer('lock-0');
    bed.instance.pauseServer('lock-1');
    try {
      await expectNoMajority(id);
    } finally {
      bed.instance.resumeServer('lock-0');
      bed.instance.resumeServer('lock-1');
    }
    await eventually(async () => {
      expect((await bed.api.patch('account', id, { owner: 'after' })).body.version).toBe(2);
    }, RECOVERY);
  });

  test('a node votes again only when every lock that it may have forgotten has expired', async () => {
    const deadSince = performance.now();
    await bed.instance.killServer('lock-0');
    await eventually(
      async () => expect(await bed.behind.lockNodes[0]?.ping()).toBe('PONG'),
      RECOVERY,
    );
    expect(performance.now() - deadSince).toBeGreaterThan(1_900);
  });
});
