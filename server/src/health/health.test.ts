import { describe, expect, it } from 'vitest';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { Health, type HealthOptions, type HealthProbe } from './index.ts';

/** A server that answers, fails or hangs, as a test says. */
class FakeServer {
  state: 'up' | 'failing' | 'hanging' = 'up';
  rttMs = 0;
  asked = 0;
  readonly #runtime: ManualRuntime;

  constructor(runtime: ManualRuntime) {
    this.#runtime = runtime;
  }

  async ping(): Promise<void> {
    this.asked++;
    if (this.state === 'hanging') return new Promise(() => {});
    if (this.rttMs > 0) await this.#runtime.timers.sleep(this.rttMs);
    if (this.state === 'failing') {
      throw Object.assign(new Error('connect to db://user:password@secret'), {
        code: 'ECONNREFUSED',
      });
    }
  }
}

async function setUp(changes: Partial<HealthOptions> = {}) {
  const runtime = manualRuntime();
  const servers = {
    database: new FakeServer(runtime),
    cache: new FakeServer(runtime),
    'lock 1': new FakeServer(runtime),
    'lock 2': new FakeServer(runtime),
    'lock 3': new FakeServer(runtime),
  };
  const probes: HealthProbe[] = Object.entries(servers).map(([name, server]) => ({
    name,
    kind: name.startsWith('lock') ? 'lock' : name === 'cache' ? 'cache' : 'database',
    ping: () => server.ping(),
  }));
  const health = new Health({
    instance: 'coordinator-1',
    probes,
    hasStrict: true,
    draining: () => false,
    runtime,
    ...changes,
  });
  const started = health.start();
  await runtime.advance(0);
  await started;
  return { runtime, servers, health };
}

const statusOf = (health: Health, name: string): string | undefined =>
  health.nodes().find((node) => node.name === name)?.status;
const detailOf = (health: Health, name: string): string | null | undefined =>
  health.nodes().find((node) => node.name === name)?.detail;

describe('readiness', () => {
  it('is ready when everything answers', async () => {
    const { health } = await setUp();
    expect(health.ready().ok).toBe(true);
    expect(health.ready().checks.every(({ detail }) => detail === null)).toBe(true);
  });

  it('is not ready while the database is down, and says so without the address', async () => {
    const { health, runtime, servers } = await setUp();
    servers.database.state = 'failing';
    await runtime.advance(2_100);
    const { ok, checks } = health.ready();
    expect(ok).toBe(false);
    const detail = checks.find(({ name }) => name === 'database')?.detail;
    expect(detail).toContain('connection refused');
    expect(detail).toContain('DATABASE_UNAVAILABLE');
    expect(JSON.stringify(checks)).not.toContain('secret');
  });

  it('stays ready, and shows it, while the cache and two lock nodes are down', async () => {
    const { health, runtime, servers } = await setUp();
    for (const name of ['cache', 'lock 1', 'lock 2'] as const) servers[name].state = 'failing';
    await runtime.advance(2_100);
    const { ok, checks } = health.ready();
    expect(ok).toBe(true);
    expect(checks.filter((check) => !check.ok).map(({ name }) => name)).toEqual([
      'cache',
      'lock 1',
      'lock 2',
    ]);
    expect(checks.filter((check) => !check.ok && check.required)).toEqual([]);
  });

  it('is not ready while stopping', async () => {
    const { health } = await setUp({ draining: () => true });
    expect(health.ready().ok).toBe(false);
    expect(detailOf(health, 'coordinator-1')).toMatch(/stopping/);
  });
});

describe('a probed server', () => {
  it('is down at once where its first probe fails', async () => {
    const runtime = manualRuntime();
    const server = new FakeServer(runtime);
    server.state = 'failing';
    const { health } = await setUp({
      probes: [{ name: 'database', kind: 'database', ping: () => server.ping() }],
    });
    expect(statusOf(health, 'database')).toBe('down');
  });

  it('survives one failed probe, goes down at the second and comes back at the second answer', async () => {
    const { health, runtime, servers } = await setUp();
    servers.cache.state = 'failing';
    await runtime.advance(1_050);
    expect(statusOf(health, 'cache')).toBe('up');
    await runtime.advance(1_000);
    expect(statusOf(health, 'cache')).toBe('down');
    servers.cache.state = 'up';
    await runtime.advance(1_000);
    expect(statusOf(health, 'cache')).toBe('down');
    await runtime.advance(1_000);
    expect(statusOf(health, 'cache')).toBe('up');
    expect(detailOf(health, 'cache')).toBeNull();
  });

  it('is down when it hangs, and is never asked twice at a time', async () => {
    const { health, runtime, servers } = await setUp();
    servers['lock 2'].state = 'hanging';
    const before = servers['lock 2'].asked;
    await runtime.advance(5_500);
    expect(statusOf(health, 'lock 2')).toBe('down');
    expect(servers['lock 2'].asked).toBe(before + 1);
    expect(statusOf(health, 'lock 1')).toBe('up');
  });

  it('is slow after three slow answers and up again after three quick ones', async () => {
    const { health, runtime, servers } = await setUp();
    servers.database.rttMs = 400;
    await runtime.advance(3_500);
    expect(statusOf(health, 'database')).toBe('slow');
    expect(detailOf(health, 'database')).toContain('400 ms');
    servers.database.rttMs = 1;
    await runtime.advance(3_500);
    expect(statusOf(health, 'database')).toBe('up');
  });

  it('tells since when it is as it is', async () => {
    const { health, runtime, servers } = await setUp();
    await runtime.advance(10_000);
    servers.cache.state = 'failing';
    await runtime.advance(3_000);
    const node = health.nodes().find(({ name }) => name === 'cache');
    expect(runtime.clock.wallMs() - (node?.sinceMs ?? 0)).toBeLessThan(1_500);
    expect(node?.rttMs).toBeNull();
  });

  it('is not probed any more after stop', async () => {
    const { health, runtime, servers } = await setUp();
    health.stop();
    const before = servers.database.asked;
    await runtime.advance(5_000);
    expect(servers.database.asked).toBe(before);
    expect(runtime.pendingTimers).toBe(0);
  });
});

describe('what a state means', () => {
  it('says which part of the cache cannot be used, and that the rest goes on', async () => {
    let partFault: string | null = null;
    const { health } = await setUp({
      probes: [
        {
          ...{ name: 'cache', kind: 'cache', ping: () => Promise.resolve() },
          partFault: () => partFault,
        },
      ],
    });
    expect(detailOf(health, 'cache')).toBeNull();
    expect(health.ready().checks).toContainEqual(
      expect.objectContaining({ name: 'cache', ok: true }),
    );
    partFault = '1 of 3 masters cannot be used';
    expect(statusOf(health, 'cache')).toBe('up');
    expect(detailOf(health, 'cache')).toMatch(
      /^1 of 3 masters.*strict writes answer CACHE_UNAVAILABLE.*all other keys go on$/,
    );
    expect(health.ready()).toMatchObject({ ok: true });
    expect(health.ready().checks).toContainEqual(
      expect.objectContaining({ name: 'cache', ok: false, required: false }),
    );
  });

  it('says that one lock node of three may fail', async () => {
    const { health, runtime, servers } = await setUp();
    servers['lock 3'].state = 'failing';
    await runtime.advance(2_100);
    expect(detailOf(health, 'lock 3')).toMatch(/1 of 3 lock nodes down; a majority still answers/);
  });

  it('says that without a majority strict writes stop, and the rest goes on', async () => {
    const { health, runtime, servers } = await setUp();
    servers['lock 1'].state = 'failing';
    servers['lock 3'].state = 'failing';
    await runtime.advance(2_100);
    expect(detailOf(health, 'lock 1')).toMatch(/2 of 3.*LOCKS_UNAVAILABLE; other policies/);
  });

  it('counts the lock nodes of each group by themselves', async () => {
    const { health } = await setUp({
      probes: [],
      lockNodes: () =>
        [1, 2, 3, 4, 5, 6].map((id) => ({
          ...{ name: `lock-${id}`, kind: 'lock', rttMs: null, sinceMs: 0 },
          status: [1, 4, 5].includes(id) ? 'down' : 'up',
          group: id <= 3 ? 1 : 2,
        })),
    });
    expect(detailOf(health, 'lock-1')).toMatch(/1 of 3 lock nodes of group 1 down; a majority/);
    expect(detailOf(health, 'lock-4')).toMatch(
      /2 of 3 lock nodes of group 2 down; strict writes of this group’s keys answer LOCKS_/,
    );
  });

  it('does not speak of strict writes where nothing is strict', async () => {
    const { health, runtime, servers } = await setUp({ hasStrict: false });
    for (const server of Object.values(servers)) server.state = 'failing';
    await runtime.advance(2_100);
    expect(JSON.stringify(health.nodes())).not.toContain('strict writes');
  });

  it('takes the word of who probes the lock nodes', async () => {
    const { health } = await setUp({
      probes: [],
      lockNodes: () => [
        { name: 'lock 1', kind: 'lock', status: 'down', rttMs: null, sinceMs: 0 },
        { name: 'lock 2', kind: 'lock', status: 'up', rttMs: 1, sinceMs: 0 },
      ],
    });
    expect(detailOf(health, 'lock 1')).toMatch(/1 of 2.*LOCKS_UNAVAILABLE/);
  });

  it('shows a coordinator whose event loop is kept busy as slow', async () => {
    const { health, runtime } = await setUp();
    for (let round = 0; round < 4; round++) {
      runtime.stall(1_500);
      await runtime.advance(1);
    }
    expect(statusOf(health, 'coordinator-1')).toBe('slow');
  });
});
