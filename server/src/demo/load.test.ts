import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { busiestAirports, readAirports, readRoutes } from './data-set.ts';
import type { LoadAnswer, LoadClient } from './load-client.ts';
import { LoadPlan, type LoadOperation } from './load-plan.ts';
import { Load } from './load.ts';

const routes = readRoutes();
const airports = busiestAirports(readAirports(), routes);
const plan = (): LoadPlan => new LoadPlan(routes, airports, new SeededRandom(3));

/** Answers every call at once with what a test says. */
class FakeClient implements LoadClient {
  answer: LoadAnswer = { status: 200, retryAfterMs: null };
  isHanging = false;
  isClosed = false;
  readonly calls: LoadOperation[] = [];

  call(operation: LoadOperation): Promise<LoadAnswer> {
    this.calls.push(operation);
    return this.isHanging ? new Promise(() => {}) : Promise.resolve(this.answer);
  }

  close(): void {
    this.isClosed = true;
  }
}

function setUp(operationsPerSecond = 300) {
  const runtime = manualRuntime();
  const client = new FakeClient();
  const load = new Load({ client, plan: plan(), operationsPerSecond, runtime });
  load.start();
  return { runtime, client, load };
}

describe('the plan of the load', () => {
  it('mixes reads, increments, replacements and deletes', () => {
    const source = plan();
    const counts = { GET: 0, PATCH: 0, PUT: 0, DELETE: 0 };
    for (let index = 0; index < 10_000; index++) counts[source.next().method]++;
    expect(counts.GET).toBeGreaterThan(6_300);
    expect(counts.GET).toBeLessThan(7_100);
    expect(counts.PATCH).toBeGreaterThan(2_200);
    expect(counts.PUT).toBeGreaterThan(200);
    expect(counts.DELETE).toBeGreaterThan(150);
  });

  it('prefers some keys by far', () => {
    const source = plan();
    const counts = new Map<string, number>();
    for (let index = 0; index < 20_000; index++) {
      const { path } = source.next();
      if (path.startsWith('route/')) counts.set(path, (counts.get(path) ?? 0) + 1);
    }
    const sorted = [...counts.values()].sort((a, b) => b - a);
    expect(counts.size).toBeGreaterThan(300);
    expect(counts.size).toBeLessThanOrEqual(500);
    expect(sorted[0] ?? 0).toBeGreaterThan(50 * (sorted[200] ?? 0));
  });

  it('sends a rush of buyers to one route', () => {
    const rush = plan().rush();
    expect(rush.length).toBeGreaterThan(10);
    expect(new Set(rush.map(({ path }) => path)).size).toBe(1);
  });
});

describe('the load', () => {
  it('keeps its rate, rushes included', async () => {
    const { runtime, client, load } = setUp();
    await runtime.advance(10_000);
    expect(client.calls.length).toBeGreaterThan(2_900);
    expect(client.calls.length).toBeLessThan(3_100);
    void load.stop();
  });

  it('has at most 48 operations under way, and does not make up for it', async () => {
    const { runtime, client } = setUp();
    client.isHanging = true;
    await runtime.advance(5_000);
    expect(client.calls).toHaveLength(48);
  });

  it.each([503, 429, 500, null])('backs off at status %s and comes back', async (status) => {
    const { runtime, client } = setUp();
    client.answer = { status, retryAfterMs: null };
    await runtime.advance(20_000);
    expect(client.calls.length).toBeLessThan(200);
    client.answer = { status: 200, retryAfterMs: null };
    await runtime.advance(10_000);
    const before = client.calls.length;
    await runtime.advance(1_000);
    expect(client.calls.length - before).toBeGreaterThan(280);
  });

  it('waits as long as it is told to', async () => {
    const { runtime, client } = setUp();
    client.answer = { status: 503, retryAfterMs: 6_000 };
    await runtime.advance(100);
    const before = client.calls.length;
    await runtime.advance(4_000);
    expect(client.calls).toHaveLength(before);
  });

  it('refills a route that is sold out', async () => {
    const { runtime, client } = setUp();
    client.answer = { status: 409, retryAfterMs: null };
    await runtime.advance(1_000);
    const refills = client.calls.filter(({ body }) => JSON.stringify(body)?.includes('150'));
    expect(refills.length).toBeGreaterThan(10);
  });

  it('begins nothing more once stopped, and closes its connections', async () => {
    const { runtime, client, load } = setUp();
    await runtime.advance(500);
    await load.stop();
    const before = client.calls.length;
    await runtime.advance(2_000);
    expect(client.calls).toHaveLength(before);
    expect(client.isClosed).toBe(true);
  });
});
