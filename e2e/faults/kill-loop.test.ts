import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { cell } from '../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import { useInstance, type TestBed } from '../support/shared-instance.ts';
import { embeddedShop, SHOP_SQL } from '../support/shop.ts';
import { disagreements } from './agreement.ts';
import { MixedLoad } from './mixed-load.ts';

/** 50 for the full run; few in every test run. */
const KILLS = Number(process.env['LOCKSTEP_KILLS'] ?? 5);
/** Within this after the last start nothing may disagree. */
const AGREEMENT_BOUND_MS = 30_000;
const SECONDS_PER_KILL = 20;

const bed = useInstance(() => ({ config: embeddedShop(), files: { 'shop.sql': SHOP_SQL.pg } }));

/** Lets the load run for a random while, so that death comes at any point of a write. */
async function runAndDie(load: MixedLoad, die: () => Promise<void>): Promise<void> {
  const before = load.acknowledged;
  load.start(bed.instance.runtime);
  await eventually(() => expect(load.acknowledged).toBeGreaterThan(before + 30), {
    withinMs: 90_000,
  });
  await sleep(Math.random() * 700);
  await die();
  await load.stop();
}

async function expectNothingDisagrees(startedAt: number): Promise<void> {
  const leftMs = AGREEMENT_BOUND_MS - (performance.now() - startedAt);
  await eventually(
    async () => {
      const accounts = await disagreements(bed.behind, bed.api, 'account', 'accounts');
      const profiles = await disagreements(bed.behind, bed.api, 'profile', 'profiles');
      expect([...accounts, ...profiles]).toEqual([]);
    },
    { withinMs: leftMs, everyMs: 200 },
  );
}

async function expectNothingLost(load: MixedLoad, { api }: TestBed): Promise<void> {
  const touched = load.spread.filter(({ acknowledged, dropped }) => acknowledged + dropped > 0);
  for (const { resource, id, acknowledged, dropped } of [...load.counted, ...touched]) {
    const answer = await api.get(resource, id, '?consistency=primary');
    const count = Number(cell(answer, resource === 'account' ? 'balance' : 'visits'));
    expect(count, `${resource} ${id}`).toBeGreaterThanOrEqual(acknowledged);
    expect(count, `${resource} ${id}`).toBeLessThanOrEqual(acknowledged + dropped);
    if (resource === 'account') expect(answer.body.version, `account ${id}`).toBe(count + 1);
  }
  for (const { resource, id, acknowledged, possible } of load.owned) {
    const answer = await api.get(resource, id, '?consistency=primary');
    const value = answer.body.value?.[resource === 'account' ? 'owner' : 'name'];
    expect([acknowledged, ...possible], `${resource} ${id}`).toContain(value);
  }
  expect(load.faults).toEqual([]);
}

async function survive(kills: number, die: () => Promise<void>): Promise<void> {
  const load = new MixedLoad();
  await load.prepare(bed.instance.runtime);
  let startedAt = performance.now();
  for (let kill = 0; kill < kills; kill++) {
    await runAndDie(load, die);
    await bed.instance.start();
    startedAt = performance.now();
  }
  await bed.reconnect();
  await expectNothingDisagrees(startedAt);
  await load.settle(bed.instance.runtime);
  await expectNothingLost(load, bed);
  await expectNothingDisagrees(performance.now());
}

describe('SIGKILL under mixed load loses nothing that was acknowledged (W5, W6, W8, R6, R7)', () => {
  test(
    `of the coordinator, ${KILLS} times`,
    () => survive(KILLS, () => bed.instance.kill()),
    60_000 + KILLS * SECONDS_PER_KILL * 1000,
  );

  test(
    'of the coordinator and all its servers at once',
    () => survive(Math.max(1, Math.floor(KILLS / 5)), () => bed.instance.killAll()),
    60_000 + KILLS * SECONDS_PER_KILL * 1000,
  );
});
