import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ReloadReport } from '@lockstep/shared';
import { ApiClient, cell } from '../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { Cluster } from './cluster/cluster.ts';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { SwitchLoad } from './switch-load.ts';

/** More than the life of a lease of one that died. */
const RECOVERY = { withinMs: 90_000, everyMs: 20 };

let cluster: Cluster;
let apis: ApiClient[];
let nextId = 1;

beforeAll(async () => {
  cluster = await Cluster.start({ random: new SeededRandom(1), control: null, clocks: false });
  apis = cluster.coordinators.map(({ url }) => new ApiClient(url, null));
});
afterAll(async () => {
  await Promise.all(apis.map((api) => api.close()));
  await cluster.stop();
});
beforeEach(async () => {
  await cluster.heal();
  await switchAll('delete-after-write');
});

const api = (index: number): ApiClient => {
  const found = apis[index];
  if (found === undefined) throw new RangeError(`There is no coordinator ${index + 1}`);
  return found;
};

function configure(index: number, policy: string): void {
  const coordinator = cluster.coordinator(index);
  const config = coordinator.config as { resources: { profile: object } };
  const profile = { ...config.resources.profile, policy };
  coordinator.configure({ ...config, resources: { ...config.resources, profile } });
}

async function reload(index: number): Promise<ReloadReport> {
  const answer = await api(index).post('/v1/ops/reload', {});
  expect(answer.status, answer.text).toBe(200);
  return JSON.parse(answer.text) as ReloadReport;
}

/** Every coordinator has the policy and serves by it. */
async function switchAll(policy: string): Promise<void> {
  for (const index of [0, 1, 2]) configure(index, policy);
  for (const index of [0, 1, 2]) await settled(index);
}

const settled = (index: number): Promise<void> =>
  eventually(async () => expect(await reload(index)).toMatchObject({ settled: true }), RECOVERY);

/** A row that is cached as it is no more: what a lost delete leaves. */
async function oldEntry(): Promise<number> {
  const id = nextId++;
  await api(0).put('profile', id, { n: 7, writer: 'new' });
  const header = JSON.stringify({ s: 'value', v: 1, f: 0, t: 1 });
  const body = JSON.stringify({ id, n: 6, writer: 'old' });
  await cluster.behind.cache.set(`profile:${id}`, `${header}\n${body}`, 'EX', 600);
  expect(cell(await api(2).get('profile', id), 'writer')).toBe('old');
  return id;
}

async function loadOn(coordinators: readonly number[]): Promise<SwitchLoad> {
  const ids = Array.from({ length: 3 }, () => nextId++);
  for (const id of ids) await api(0).put('profile', id, { n: 0, writer: 'first' });
  return new SwitchLoad(ids, coordinators.map(api));
}

/** What every coordinator answers is the row, and no acknowledged write is missing in it. */
async function expectAgreement(load: SwitchLoad): Promise<void> {
  for (const id of load.ids) {
    const [row] = await cluster.behind.sql('select n from profiles where id = ?', [id]);
    expect(Number(row?.['n'])).toBeGreaterThanOrEqual(load.acknowledged(id));
    for (const index of [0, 1, 2])
      expect(Number(cell(await api(index).get('profile', id), 'n'))).toBe(Number(row?.['n']));
  }
}

describe('a switch to strict on one of three coordinators', () => {
  test('once it is answered, leaves nothing old for readers of coordinators with the old configuration (P8)', async () => {
    const ids = await Promise.all([oldEntry(), oldEntry(), oldEntry()]);
    configure(0, 'strict');
    expect(await reload(0)).toMatchObject({ switched: ['profile'], settled: true });
    for (const [index, id] of ids.entries())
      expect(cell(await api(index).get('profile', id), 'writer')).toBe('new');
  });

  test('reports that it is not complete while an earlier write is in flight (P8)', async () => {
    const id = await oldEntry();
    configure(0, 'strict');
    const writer = new pg.Client({
      connectionString: cluster.server('database').url,
      application_name: 'lockstep',
    });
    await writer.connect();
    try {
      await writer.query('begin');
      expect(await reload(0)).toMatchObject({ switched: ['profile'], settled: false });
      expect(cell(await api(0).get('profile', id), 'writer')).toBe('new');
    } finally {
      await writer.end();
    }
    await settled(0);
    expect(cell(await api(2).get('profile', id), 'writer')).toBe('new');
  });

  test('refuses writes of a coordinator with the old configuration until it is reloaded (P7)', async () => {
    const id = nextId++;
    configure(0, 'strict');
    await reload(0);
    const refused = await api(2).put('profile', id, { n: 1, writer: 'old' });
    expectProblem(refused, 'FENCED');
    expect(refused.body.outcome).toBe('not_applied');
    const operations = [
      { op: 'put', resource: 'profile', key: id, value: { n: 1, writer: 'old' } },
    ];
    const startedAt = performance.now();
    const transaction = await api(2).post(
      '/v1/transactions',
      { operations },
      { 'lockstep-timeout': '200' },
    );
    expectProblem(transaction, 'FENCED');
    expect(transaction.body.outcome).toBe('not_applied');
    // It gives up with its caller's time, and not with the time that it takes for others.
    expect(performance.now() - startedAt).toBeLessThan(4_500);
    expect((await api(0).put('profile', id, { n: 1, writer: 'new' })).status).toBe(201);
    configure(2, 'strict');
    await reload(2);
    expect((await api(2).patch('profile', id, { writer: 'next' })).body).toMatchObject({
      ...{ version: 2, policy: 'strict', cache: 'fresh' },
    });
  });

  test('under load on all of them shows no reader an old value once it is answered (P7, P8)', async () => {
    const load = await loadOn([0, 1, 2]);
    try {
      await load.written(10);
      for (const index of [0, 1, 2]) configure(index, 'strict');
      expect(await reload(0)).toMatchObject({ settled: true });
      load.isStrict = true;
      await load.written(30);
    } finally {
      await load.stop();
    }
    expect(load.faults).toEqual([]);
    await expectAgreement(load);
  });

  test('is safe from a coordinator that was paused during its writes, which applies none of them afterwards (P7)', async () => {
    const load = await loadOn([0, 1, 2]);
    try {
      await load.written(10);
      cluster.coordinator(2).pause();
      for (const index of [0, 1, 2]) configure(index, 'strict');
      await settled(0);
      load.isStrict = true;
      await load.written(10);
      cluster.coordinator(2).resume();
      await load.written(30);
    } finally {
      cluster.coordinator(2).resume();
      await load.stop();
    }
    expect(load.faults).toEqual([]);
    await expectAgreement(load);
  });

  test('is completed by another coordinator if the first is killed (P8)', async () => {
    const ids = await Promise.all([oldEntry(), oldEntry(), oldEntry()]);
    for (const index of [0, 1, 2]) configure(index, 'strict');
    const asked = api(0)
      .post('/v1/ops/reload', {})
      .catch(() => null);
    // As soon as the epoch is there, and before the sweep if it can be met.
    await eventually(
      async () => {
        const [row] = await cluster.behind.sql(
          `select definition::text as text from lockstep_policies where resource = ?`,
          ['profile'],
        );
        expect(row?.['text']).toContain('strict');
      },
      { withinMs: 90_000, everyMs: 1 },
    );
    await cluster.coordinator(0).kill();
    await asked;
    await settled(1);
    for (const id of ids) expect(cell(await api(2).get('profile', id), 'writer')).toBe('new');
  });
});
