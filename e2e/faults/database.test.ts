import pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { untilAllIsWell } from '../support/all-well.ts';
import { cell, type Answer } from '../support/api-client.ts';
import { eventually, timed } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const bed = useInstance(() => ({ config: embeddedShop(), files: { 'shop.sql': SHOP_SQL.pg } }));

beforeEach(() => untilAllIsWell(bed));

/** The statement timeout is 1 s here; a hung server costs that, the client's own bound and the wait for a connection. */
const ANSWER_BOUND_MS = 15_000;
const RECOVERY = { withinMs: 90_000, everyMs: 100 };

/** A write met a database that is away: certainly nothing, or honestly unknown. */
function expectTruthfulFailure(answer: Answer): void {
  if (answer.body.code === 'OUTCOME_UNKNOWN') expectProblem(answer, 'OUTCOME_UNKNOWN', 'unknown');
  else expectProblem(answer, 'DATABASE_UNAVAILABLE');
}

/** An increment that is repeated with its idempotency key until it is acknowledged counts exactly once. */
async function incrementForSure(
  resource: string,
  counter: string,
  id: number,
  key: string,
): Promise<void> {
  await eventually(async () => {
    const headers = { 'idempotency-key': key };
    const answer = await bed.api.patch(resource, id, { $inc: { [counter]: 1 } }, headers);
    if (answer.status !== 200) expectTruthfulFailure(answer);
    expect(answer.status).toBe(200);
  }, RECOVERY);
}

async function prepare(): Promise<number> {
  const id = newId();
  await bed.api.put('account', id, { owner: 'Ada', balance: 0 });
  await bed.api.put('profile', id, { name: 'Ada', visits: 0 });
  await bed.api.get('profile', id);
  return id;
}

async function expectServiceWithoutDatabase(id: number): Promise<void> {
  const { result, tookMs } = await timed(() =>
    Promise.all([
      bed.api.get('account', id),
      bed.api.get('profile', id),
      bed.api.get('account', newId()),
      bed.api.patch('account', id, { owner: 'new' }),
      bed.api.patch('profile', id, { name: 'new' }),
      bed.api.put('order', id, { item: 'tea' }),
    ]),
  );
  const [cachedStrict, cached, uncached, ...writes] = result;
  expect(tookMs).toBeLessThan(ANSWER_BOUND_MS);
  expect([200, 503]).toContain(cachedStrict.status); // the strict write's intent may be there already
  expect(cached.body).toMatchObject({ source: 'cache', value: { name: 'Ada' } });
  expectProblem(uncached, 'DATABASE_UNAVAILABLE');
  writes.forEach(expectTruthfulFailure);
  expect((await bed.anonymous.call('GET', '/livez')).status).toBe(200);
}

async function expectRecovery(id: number): Promise<void> {
  await eventually(
    async () => expect((await bed.anonymous.call('GET', '/readyz')).status).toBe(200),
    RECOVERY,
  );
  await eventually(
    async () => expect((await bed.api.put('account', id, { owner: 'x' })).status).toBe(200),
    RECOVERY,
  );
  await eventually(async () => {
    const read = await bed.api.get('account', id);
    const primary = await bed.api.get('account', id, '?consistency=primary');
    expect(read.body).toMatchObject({
      source: 'cache',
      version: primary.body.version,
      value: primary.body.value,
    });
  }, RECOVERY);
  expect((await bed.api.patch('profile', id, { name: 'after' })).body.cache).toBe('invalidated');
}

describe('the database', () => {
  test('down: cached reads go on, writes are refused; then everything recovers', async () => {
    const id = await prepare();
    await bed.instance.killServer('database');
    await expectServiceWithoutDatabase(id);
    await expectRecovery(id);
  });

  test('hanging: the same, within the timeouts (W12)', async () => {
    const id = await prepare();
    bed.instance.pauseServer('database');
    try {
      await expectServiceWithoutDatabase(id);
      await eventually(async () => {
        expect((await bed.anonymous.call('GET', '/readyz')).status).toBe(503);
      });
    } finally {
      bed.instance.resumeServer('database');
    }
    await expectRecovery(id);
  });

  test.each(['killed', 'frozen'])(
    '%s during increments: each one with an idempotency key counts exactly once (W6)',
    async (how) => {
      const id = await prepare();
      let sent = { account: 0, profile: 0 };
      let loading = true;
      const caller = async (resource: 'account' | 'profile', counter: string): Promise<void> => {
        while (loading) {
          sent = { ...sent, [resource]: sent[resource] + 1 };
          await incrementForSure(
            resource,
            counter,
            id,
            `fault-${id}-${resource}-${sent[resource]}`,
          );
        }
      };
      const callers = [1, 2, 3, 4].flatMap(() => [
        caller('account', 'balance'),
        caller('profile', 'visits'),
      ]);
      try {
        await eventually(() => expect(sent.account + sent.profile).toBeGreaterThan(60));
        if (how === 'killed') await bed.instance.killServer('database');
        else bed.instance.pauseServer('database');
        const stoppedAt = performance.now();
        await eventually(() => expect(performance.now() - stoppedAt).toBeGreaterThan(2_500));
        if (how === 'frozen') bed.instance.resumeServer('database');
        const before = sent.account + sent.profile;
        await eventually(
          () => expect(sent.account + sent.profile).toBeGreaterThan(before + 60),
          RECOVERY,
        );
      } finally {
        if (how === 'frozen') bed.instance.resumeServer('database');
        loading = false;
        await Promise.all(callers);
      }
      const account = await bed.api.get('account', id, '?consistency=primary');
      const profile = await bed.api.get('profile', id, '?consistency=primary');
      expect(Number(cell(account, 'balance'))).toBe(sent.account);
      expect(Number(cell(profile, 'visits'))).toBe(sent.profile);
      expect(account.body.version).toBe(1 + sent.account);
      await eventually(async () => {
        expect((await bed.api.get('account', id)).body).toMatchObject({
          source: 'cache',
          value: account.body.value,
        });
        expect((await bed.api.get('profile', id)).body.value).toEqual(profile.body.value);
      }, RECOVERY);
    },
  );

  test('slow on one row: its writes end in time as not applied, others go on (W4, W12)', async () => {
    const [id, other] = [await prepare(), await prepare()];
    const blocker = new pg.Client({ connectionString: bed.instance.runtime.databaseUrl });
    await blocker.connect();
    try {
      await blocker.query('BEGIN');
      await blocker.query('SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE', [id]);
      await blocker.query('SELECT 1 FROM profiles WHERE id = $1 FOR UPDATE', [id]);
      const { result, tookMs } = await timed(() =>
        Promise.all([
          bed.api.patch('account', id, { owner: 'new' }),
          bed.api.patch('profile', id, { name: 'new' }),
        ]),
      );
      expect(tookMs).toBeLessThan(ANSWER_BOUND_MS);
      for (const answer of result) expectProblem(answer, 'DATABASE_UNAVAILABLE');
      const elsewhere = await bed.api.patch('account', other, { owner: 'new' });
      expect(elsewhere.status).toBe(200);
      await blocker.query('ROLLBACK');
    } finally {
      await blocker.end();
    }
    expect((await bed.api.get('account', id, '?consistency=primary')).body).toMatchObject({
      version: 1,
      value: { owner: 'Ada' },
    });
    expect((await bed.api.patch('account', id, { owner: 'Grace' })).body.version).toBe(2);
    await eventually(
      async () => expect((await bed.api.get('account', id)).body.source).toBe('cache'),
      RECOVERY,
    );
  });

  test('that ends all sessions at once fails only the writes in flight', async () => {
    const id = await prepare();
    await bed.behind
      .sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()')
      .catch(() => undefined); // our own other sessions end too
    await eventually(async () => {
      expect((await bed.api.patch('account', id, { $inc: { balance: 1 } })).status).toBe(200);
    }, RECOVERY);
    await expectRecovery(id);
  });
});
