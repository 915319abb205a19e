import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { untilAllIsWell } from '../support/all-well.ts';
import { ApiClient, cell, type Answer } from '../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, HASTY_CACHE, newId, SHOP_SQL } from '../support/shop.ts';

const bed = useInstance(() => ({
  config: embeddedShop({ cache: HASTY_CACHE }),
  files: { 'shop.sql': SHOP_SQL.pg },
}));
const RECOVERY = { withinMs: 90_000, everyMs: 100 };
const START = 1_000;

beforeEach(() => untilAllIsWell(bed));

interface Pair {
  ids: [number, number];
  profile: number;
}

async function newPair(): Promise<Pair> {
  const pair: Pair = { ids: [newId(), newId()], profile: newId() };
  const [one, other] = pair.ids;
  await bed.api.put('account', one, { owner: 'Ada', balance: START });
  await bed.api.put('account', other, { owner: 'Grace', balance: 0 });
  await bed.api.put('profile', pair.profile, { name: 'Ada', visits: 0 });
  return pair;
}

/** Moves 1 from one account to the other, and counts it by a key of another policy. */
const move = ({ ids: [one, other], profile }: Pair): object[] => [
  { op: 'patch', resource: 'account', key: other, value: { $inc: { balance: 1 } } },
  { op: 'patch', resource: 'profile', key: profile, value: { $inc: { visits: 1 } } },
  { op: 'patch', resource: 'account', key: one, value: { $inc: { balance: -1 } } },
];

/** What is there of a pair, by the database: all agree on how often was moved. */
async function movedTimes({ ids, profile }: Pair): Promise<number> {
  const [from, to, count] = await Promise.all([
    bed.api.get('account', ids[0], '?consistency=primary'),
    bed.api.get('account', ids[1], '?consistency=primary'),
    bed.api.get('profile', profile, '?consistency=primary'),
  ]);
  const times = Number(cell(to, 'balance'));
  expect(Number(cell(from, 'balance'))).toBe(START - times);
  expect(Number(cell(count, 'visits'))).toBe(times);
  expect([from.body.version, to.body.version]).toEqual([1 + times, 1 + times]);
  return times;
}

/** Every entry is its row again, and no intent is left. */
async function expectAgreement({ ids, profile }: Pair): Promise<void> {
  await eventually(async () => {
    for (const [resource, id] of [
      ['account', ids[0]],
      ['account', ids[1]],
      ['profile', profile],
    ] as const) {
      const primary = await bed.api.get(resource, id, '?consistency=primary');
      const { body } = await bed.api.get(resource, id);
      expect(body).toMatchObject({ version: primary.body.version, value: primary.body.value });
      expect((await bed.behind.entry(`${resource}:${id}`))?.state).toBe('value');
    }
  }, RECOVERY);
}

/** A program that holds a row's lock until it is asked to release it. */
async function lockRow(id: number): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: bed.instance.runtime.databaseUrl });
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE', [id]);
  return { release: () => client.end() };
}

describe('a transaction', () => {
  test('is not applied, and its intents are cleared, if its coordinator is killed between intents and commit (T1) (T2)', async () => {
    const pair = await newPair();
    const row = await lockRow(pair.ids[0]);
    const call = bed.api.post('/v1/transactions', { operations: move(pair) }).catch(() => 'gone');
    await eventually(async () => {
      for (const id of pair.ids) {
        expect((await bed.behind.entry(`account:${id}`))?.state).toBe('intent');
      }
    });
    await bed.instance.kill();
    expect(await call).toBe('gone');
    await row.release();
    await bed.instance.start();
    await bed.reconnect();
    expect(await movedTimes(pair)).toBe(0);
    await expectAgreement(pair);
    const again = await bed.api.post('/v1/transactions', { operations: move(pair) });
    expect(again.status).toBe(200);
    expect(await movedTimes(pair)).toBe(1);
  });

  test('is applied as a whole or not at all, whenever the coordinator is killed (T1) (T2)', async () => {
    const pair = await newPair();
    let acknowledged = 0;
    let dropped = 0;
    for (let kill = 0; kill < 3; kill += 1) {
      const api = new ApiClient(bed.instance.runtime.url, bed.instance.runtime.serviceToken);
      const before = acknowledged;
      let running = true;
      const caller = async (): Promise<void> => {
        while (running) {
          const answer = await api
            .post('/v1/transactions', { operations: move(pair) })
            .catch(() => null);
          if (answer?.status === 200) acknowledged += 1;
          else if (answer === null || answer.body.outcome === 'unknown') dropped += 1;
        }
      };
      const callers = [caller(), caller(), caller()];
      await eventually(() => expect(acknowledged).toBeGreaterThan(before + 20), RECOVERY);
      await sleep(Math.random() * 200);
      await bed.instance.kill();
      running = false;
      await Promise.all(callers);
      await api.close();
      await bed.instance.start();
    }
    await bed.reconnect();
    const times = await movedTimes(pair);
    expect(times).toBeGreaterThanOrEqual(acknowledged);
    expect(times).toBeLessThanOrEqual(acknowledged + dropped);
    await expectAgreement(pair);
  });

  test('repeated with its key until it is acknowledged counts once, while the database is killed (T1) (T2) (W6)', async () => {
    const pair = await newPair();
    let sent = 0;
    let running = true;
    const once = async (key: string): Promise<void> => {
      await eventually(async () => {
        const headers = { 'idempotency-key': key };
        const answer = await bed.api.post('/v1/transactions', { operations: move(pair) }, headers);
        if (answer.status !== 200) expectTruthfulFailure(answer);
        expect(answer.status).toBe(200);
      }, RECOVERY);
    };
    const caller = async (): Promise<void> => {
      while (running) {
        sent += 1;
        await once(`move-${pair.profile}-${sent}`);
      }
    };
    const callers = [caller(), caller(), caller()];
    try {
      await eventually(() => expect(sent).toBeGreaterThan(30), RECOVERY);
      await bed.instance.killServer('database');
      const before = sent;
      await eventually(() => expect(sent).toBeGreaterThan(before + 30), RECOVERY);
    } finally {
      running = false;
      await Promise.all(callers);
    }
    expect(await movedTimes(pair)).toBe(sent);
    await expectAgreement(pair);
  });

  test('of strict keys is refused while the cache is away, others go on (W4)', async () => {
    const pair = await newPair();
    bed.instance.pauseServer('cache');
    try {
      await eventually(async () => {
        const answer = await bed.api.post('/v1/transactions', { operations: move(pair) });
        expectProblem(answer, 'CACHE_UNAVAILABLE');
      }, RECOVERY);
      const plain = move(pair).slice(1, 2);
      const answer = await bed.api.post('/v1/transactions', { operations: plain });
      expect(answer.body.results?.[0]).toMatchObject({ cache: 'pending', version: 2 });
    } finally {
      bed.instance.resumeServer('cache');
    }
    await expectAgreement(pair);
    expect(cell(await bed.api.get('account', pair.ids[1]), 'balance')).toBe('0');
  });
});

function expectTruthfulFailure(answer: Answer): void {
  const { code } = answer.body;
  if (code === 'OUTCOME_UNKNOWN') expectProblem(answer, 'OUTCOME_UNKNOWN', 'unknown');
  else expect(['DATABASE_UNAVAILABLE', 'LOCK_TIMEOUT', 'FENCED']).toContain(code);
}
