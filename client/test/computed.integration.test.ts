import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import type { Client, ClientEvents, ComputedOptions } from '../src/index.ts';
import { useBed } from './support/bed.ts';
import { failureOf, heard } from './support/heard.ts';
import { newId } from './support/shop.ts';

const bed = useBed();

afterEach(() => {
  bed.links.cache.heal();
  bed.links.coordinator.heal();
});

/** A loader that counts its runs and answers what a test says, when it says so. */
class TestLoader<Value = unknown> {
  runs = 0;
  signals: AbortSignal[] = [];
  #waiting: { answer: (value: Value) => void; fail: (error: unknown) => void }[] = [];

  readonly load = (_key: unknown, { signal }: { signal: AbortSignal }): Promise<Value> => {
    this.runs += 1;
    this.signals.push(signal);
    return new Promise((answer, fail) => this.#waiting.push({ answer, fail }));
  };

  /** Until this many runs wait. */
  async running(count = 1): Promise<void> {
    await eventually(() => {
      expect(this.#waiting).toHaveLength(count);
    });
  }

  answer(value: Value): void {
    this.#waiting.shift()?.answer(value);
  }

  fail(error: unknown): void {
    this.#waiting.shift()?.fail(error);
  }
}

/** Each run answers another number. */
function counting(): { load: () => Promise<{ run: number }>; runs: () => number } {
  let runs = 0;
  return { load: () => Promise.resolve({ run: (runs += 1) }), runs: () => runs };
}

const eventsOf = async (work: () => Promise<unknown>): Promise<string[]> =>
  (await heard('lockstep:computed', work)).map(
    ({ event }: ClientEvents['lockstep:computed']) => event,
  );

describe('a computed value', () => {
  test('is loaded once for many callers of one moment, and cached for those after them', async () => {
    const client = await bed.ready();
    const id = newId();
    const loader = new TestLoader();
    const calls = Array.from({ length: 50 }, () =>
      client.computed('profile-card', [id], loader.load),
    );
    await loader.running();
    const joined = client.computed('profile-card', id, loader.load);
    loader.answer({ name: 'Ada', tags: ['a', null, 1.5] });
    const answers = await Promise.all([...calls, joined]);
    for (const { value } of answers) expect(value).toEqual({ name: 'Ada', tags: ['a', null, 1.5] });
    expect(answers[0]?.value).not.toBe(answers[1]?.value);
    expect(await client.computed('profile-card', [id], loader.load)).toEqual({
      value: { name: 'Ada', tags: ['a', null, 1.5] },
      source: 'cache',
    });
    expect(loader.runs).toBe(1);
  });

  test('is given to its loader by the key that the caller gave', async () => {
    const client = await bed.ready();
    const id = newId();
    const answer = await client.computed('profile-card', [id], ([given]) => given);
    expect(answer).toEqual({ value: id, source: 'loader' });
  });

  test('that says that there is nothing is kept for the negative TTL', async () => {
    const client = await bed.ready();
    const id = newId();
    expect(await client.computed('profile-card', id, () => undefined)).toMatchObject({
      value: null,
    });
    const loader = counting();
    expect(await client.computed('profile-card', id, loader.load)).toEqual({
      ...{ value: null, source: 'cache' },
    });
    expect(await bed.redis.pttl(`card:${id}`)).toBeLessThanOrEqual(5_500);
  });

  test('larger than the bound is answered and not cached', async () => {
    const client = await bed.ready();
    const id = newId();
    const large = 'x'.repeat(1024 * 1024);
    const events = await eventsOf(() => client.computed('profile-card', id, () => large));
    expect(events).toEqual(['too-large']);
    expect(await bed.redis.exists(`card:${id}`)).toBe(0);
  });

  test('is refused where JSON cannot say it, and where no loader has a place', async () => {
    const client = await bed.ready();
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const wrong = [
      client.computed('profile-card', newId(), () => circle),
      client.computed('profile', newId(), () => 1),
      client.computed('profile-card', [1, 2], () => 1),
      client.computed('profile-card', 'no number', () => 1),
      client.computed('profile-card', 1, () => 1, { waitMs: -1 }),
    ];
    for (const call of wrong) expect(await failureOf(call)).toMatchObject({ code: 'INVALID' });
    expect(await failureOf(client.computed('nothing', 1, () => 1))).toMatchObject({
      code: 'UNKNOWN_RESOURCE',
    });
  });

  test('D11: is read over HTTP while it is cached, and else answered a code', async () => {
    const client = await bed.ready();
    const id = newId();
    expect(await failureOf(client.get('profile-card', id))).toMatchObject({
      ...{ code: 'NOT_CACHED', status: 404, retryable: false },
    });
    // The read has left nothing that a loader would wait for.
    expect(await bed.redis.exists(`card:${id}`)).toBe(0);
    await client.computed('profile-card', id, () => ({ name: 'Ada' }));
    expect(await client.get('profile-card', id)).toEqual({
      ...{ value: { name: 'Ada' }, version: null, source: 'cache' },
    });
    const write = await failureOf(client.put('profile-card', id, { value: 1 }));
    expect(write).toMatchObject({ code: 'INVALID' });
    expect(String(write)).toContain('write its tables (profiles)');
    const { url, adminToken } = bed.instance.runtime;
    const audit = await fetch(`${url}/v1/ops/audits`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ resource: 'profile-card' }),
    });
    expect(await audit.json()).toMatchObject({ code: 'INVALID' });
  });
});

describe('an invalidation', () => {
  test('D12, RP12, RP14: during the load keeps its answer out of the cache, and later callers load anew', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('profile', id, { name: 'before' });
    const loader = new TestLoader();
    const first = client.computed('profile-card', id, loader.load);
    await loader.running();
    expect(await client.put('profile', id, { name: 'after' })).toMatchObject({
      cache: 'invalidated',
    });
    // This one must not be given what was loaded before the write.
    const second = client.computed('profile-card', id, loader.load);
    await loader.running(2);
    const events = await eventsOf(async () => {
      loader.answer('before');
      expect(await first).toEqual({ value: 'before', source: 'loader' });
    });
    expect(events).toEqual(['refused']);
    loader.answer('after');
    expect(await second).toEqual({ value: 'after', source: 'loader' });
    expect(await client.computed('profile-card', id, loader.load)).toEqual({
      ...{ value: 'after', source: 'cache' },
    });
  });

  test.each([
    ['a write', (client: Client, id: number) => client.patch('profile', id, { name: 'other' })],
    [
      'a call',
      (client: Client, id: number) => client.invalidate([{ resource: 'profile-card', key: id }]),
    ],
  ])('by %s takes the cached value away', async (_, invalidate) => {
    const client = await bed.ready();
    const id = newId();
    await client.put('profile', id, { name: 'one' });
    const { load } = counting();
    await client.computed('profile-card', id, load);
    await invalidate(client, id);
    expect(await client.computed('profile-card', id, load)).toEqual({
      ...{ value: { run: 2 }, source: 'loader' },
    });
  });
});

describe('two processes', () => {
  test('run one loader: the other one waits and finds its answer', async () => {
    const [one, other] = [await bed.ready(), await bed.ready()];
    const id = newId();
    const loader = new TestLoader();
    const first = one.computed('profile-card', id, loader.load);
    await loader.running();
    const second = other.computed('profile-card', id, loader.load, { waitMs: 20_000 });
    loader.answer('one');
    expect(await first).toEqual({ value: 'one', source: 'loader' });
    expect(await second).toEqual({ value: 'one', source: 'cache' });
    expect(loader.runs).toBe(1);
  });

  test('where one takes too long, the other loads once for its callers and fills nothing', async () => {
    const [one, other] = [await bed.ready(), await bed.ready()];
    const id = newId();
    const slow = new TestLoader();
    const first = one.computed('profile-card', id, slow.load);
    await slow.running();
    const quick = counting();
    const calls = [1, 2, 3].map(() =>
      other.computed('profile-card', id, quick.load, { waitMs: 30 }),
    );
    for (const call of calls) expect(await call).toEqual({ value: { run: 1 }, source: 'loader' });
    slow.answer('slow');
    await first;
    expect(await other.computed('profile-card', id, quick.load)).toEqual({
      ...{ value: 'slow', source: 'cache' },
    });
  });
});

describe('a loader that fails', () => {
  test('passes its error on unchanged, and leaves nothing for others to wait for', async () => {
    const client = await bed.ready();
    const id = newId();
    const error = new TypeError('no such thing');
    const failing = (): never => {
      throw error;
    };
    const calls = [1, 2].map(() => failureOf(client.computed('profile-card', id, failing)));
    expect(await Promise.all(calls)).toEqual([error, error]);
    expect(await calls[0]).toBe(error);
    expect(await bed.redis.exists(`card:${id}`)).toBe(0);
  });

  test('after its time is told so by its signal', async () => {
    const client = await bed.ready();
    const loader = new TestLoader();
    const call = client.computed('profile-card', newId(), loader.load, { loadTimeoutMs: 50 });
    expect(await failureOf(call)).toMatchObject({ code: 'TIMEOUT' });
    expect(loader.signals[0]?.aborted).toBe(true);
  });

  test('is told by its signal when the last of its callers has given up', async () => {
    const client = await bed.ready();
    const id = newId();
    const loader = new TestLoader();
    const [one, other] = [new AbortController(), new AbortController()];
    const calls = [one, other].map(({ signal }) =>
      failureOf(client.computed('profile-card', id, loader.load, { signal })),
    );
    await loader.running();
    one.abort(new Error('gone'));
    expect(await calls[0]).toMatchObject({ code: 'ABORTED', cause: { message: 'gone' } });
    expect(loader.signals[0]?.aborted).toBe(false);
    other.abort();
    await calls[1];
    expect(loader.signals[0]?.aborted).toBe(true);
    await eventually(async () => expect(await bed.redis.exists(`card:${id}`)).toBe(0));
  });

  test('is not told so when it has answered', async () => {
    const client = await bed.ready();
    const loader = new TestLoader();
    const call = client.computed('profile-card', newId(), loader.load, { timeoutMs: 20_000 });
    await loader.running();
    loader.answer(1);
    await call;
    expect(loader.signals[0]?.aborted).toBe(false);
  });
});

describe('past its TTL, a value', () => {
  const kept: ComputedOptions = { staleIfErrorMs: 60_000 };
  const ended = async (client: Client, owner: string): Promise<void> => {
    await client.computed('owner-total', owner, () => 'before', kept);
    await eventually(async () =>
      expect(await bed.redis.pttl(`total:${owner}`)).toBeLessThan(60_000),
    );
  };
  const failing = (): Promise<string> => Promise.reject(new Error('away'));

  test('D13, RP13: is answered where the loader fails, and only to those who would have it', async () => {
    const client = await bed.ready();
    const owner = randomUUID();
    await ended(client, owner);
    const events = await eventsOf(async () =>
      expect(await client.computed('owner-total', owner, failing, kept)).toEqual({
        ...{ value: 'before', source: 'cache', stale: true },
      }),
    );
    expect(events).toEqual(['stale']);
    for (const options of [{}, { staleIfErrorMs: 1 }])
      expect(await failureOf(client.computed('owner-total', owner, failing, options))).toEqual(
        new Error('away'),
      );
    expect(await failureOf(client.get('owner-total', owner))).toMatchObject({ code: 'NOT_CACHED' });
    expect(await client.computed('owner-total', owner, () => 'after', kept)).toEqual({
      ...{ value: 'after', source: 'loader' },
    });
    expect(await client.computed('owner-total', owner, failing)).toEqual({
      ...{ value: 'after', source: 'cache' },
    });
  });

  test('D13: is not answered once it was invalidated, not even while the loader runs', async () => {
    const client = await bed.ready();
    const owner = randomUUID();
    await ended(client, owner);
    const loader = new TestLoader();
    const call = failureOf(client.computed('owner-total', owner, loader.load, kept));
    await loader.running();
    await client.put('account', newId(), { owner, balance: 1 });
    loader.fail(new Error('away'));
    expect(await call).toEqual(new Error('away'));
  });

  test('is gone where no call has asked to keep it', async () => {
    const client = await bed.ready();
    const owner = randomUUID();
    await client.computed('owner-total', owner, () => 'before');
    await eventually(async () => expect(await bed.redis.exists(`total:${owner}`)).toBe(0));
    expect(await failureOf(client.computed('owner-total', owner, failing, kept))).toEqual(
      new Error('away'),
    );
  });
});

describe('a value that ends soon', () => {
  const early: ComputedOptions = { refreshAheadMs: 60_000 };

  test('is answered, and loaded anew once in the background', async () => {
    const client = await bed.ready();
    const id = newId();
    const loader = new TestLoader();
    await client.computed('profile-card', id, () => 'first');
    const soon: ComputedOptions = { refreshAheadMs: 3_600_000 };
    const answers = await Promise.all(
      [1, 2, 3].map(() => client.computed('profile-card', id, loader.load, soon)),
    );
    expect(answers).toEqual(answers.map(() => ({ value: 'first', source: 'cache' })));
    await loader.running();
    loader.answer('second');
    await eventually(async () =>
      expect(await client.computed('profile-card', id, loader.load)).toMatchObject({
        value: 'second',
      }),
    );
    expect(loader.runs).toBe(1);
    expect(await bed.redis.get(`card:${id}`)).not.toContain('"l":');
  });

  test('is filled by a refresh that outlives it', async () => {
    const client = await bed.ready();
    const owner = randomUUID();
    const loader = new TestLoader();
    await client.computed('owner-total', owner, () => 'first');
    expect(await client.computed('owner-total', owner, loader.load, early)).toMatchObject({
      value: 'first',
    });
    await loader.running();
    // It has ended, and those who ask now wait for the refresh.
    await eventually(async () =>
      expect(await failureOf(client.get('owner-total', owner))).toMatchObject({
        code: 'NOT_CACHED',
      }),
    );
    const waiting = client.computed('owner-total', owner, loader.load);
    loader.answer('second');
    expect(await waiting).toMatchObject({ value: 'second' });
    expect(loader.runs).toBe(1);
  });

  test('D12: is not put back by a refresh that an invalidation has overtaken', async () => {
    const client = await bed.ready();
    const owner = randomUUID();
    const loader = new TestLoader();
    await client.computed('owner-total', owner, () => 'first');
    await client.computed('owner-total', owner, loader.load, early);
    await loader.running();
    await client.put('account', newId(), { owner, balance: 1 });
    const events = await heard('lockstep:computed', async () => {
      loader.answer('old');
      await eventually(async () => {
        const { value } = await client.computed('owner-total', owner, () => 'new');
        expect(value).toBe('new');
      });
    });
    expect(events.map(({ event }) => event)).toContain('refused');
  });

  test('stays as it is where the refresh fails', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.computed('profile-card', id, () => 'first');
    const events = await heard('lockstep:computed', async () => {
      await client.computed('profile-card', id, () => Promise.reject(new Error('away')), {
        refreshAheadMs: 3_600_000,
      });
      await client.close();
    });
    expect(events.map(({ event }) => event)).toEqual(['hit', 'failed']);
    expect(await (await bed.ready()).computed('profile-card', id, () => 'other')).toEqual({
      ...{ value: 'first', source: 'cache' },
    });
  });
});

describe('while the cache is away', () => {
  test('the loader runs, for each caller after the call, and nothing is cached', async () => {
    const client = await bed.ready();
    const id = newId();
    bed.links.cache.accept('refuse');
    bed.links.cache.reset();
    const loader = new TestLoader();
    const events = await eventsOf(async () => {
      const first = client.computed('profile-card', id, loader.load);
      await loader.running();
      // These came after the first load had begun: it may have missed what they must see.
      const others = [1, 2, 3].map(() => client.computed('profile-card', id, loader.load));
      loader.answer('one');
      expect(await first).toEqual({ value: 'one', source: 'loader' });
      await loader.running();
      loader.answer('two');
      for (const other of others) expect(await other).toMatchObject({ value: 'two' });
    });
    expect(loader.runs).toBe(2);
    expect(new Set(events)).toEqual(new Set(['unfilled']));
    bed.links.cache.heal();
    expect(await bed.redis.exists(`card:${id}`)).toBe(0);
  });

  test('and hangs, the loader runs after a moment', async () => {
    const client = await bed.ready({ redisTimeoutMs: 100 });
    bed.links.cache.blackHole();
    const loader = counting();
    for (let n = 0; n < 3; n++)
      expect(await client.computed('profile-card', newId(), loader.load)).toMatchObject({
        source: 'loader',
      });
  });
});

describe('while the coordinator is away', () => {
  test('hits, loads and fills go on', async () => {
    const client = await bed.ready();
    bed.links.coordinator.accept('refuse');
    bed.links.coordinator.reset();
    const id = newId();
    const { load } = counting();
    expect(await client.computed('profile-card', id, load)).toMatchObject({ source: 'loader' });
    expect(await client.computed('profile-card', id, load)).toMatchObject({ source: 'cache' });
  });

  test('a client that never reached it runs its loader and caches nothing', async () => {
    bed.links.coordinator.accept('refuse');
    bed.links.coordinator.reset();
    const client = bed.client();
    const id = newId();
    const { load } = counting();
    expect(await client.computed('profile-card', id, load)).toMatchObject({ value: { run: 1 } });
    expect(await client.computed('profile-card', id, load)).toMatchObject({ value: { run: 2 } });
    expect(await bed.redis.exists(`card:${id}`)).toBe(0);
  });
});
