import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RowStore } from '../database/port.ts';
import { type Key, LockstepError } from '../domain/index.ts';
import { AbandonedIntents, CachedReadService } from '../reads/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import { type Engine, openEngine, withMethod } from './testing/engine.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
let engine: Engine;
let ids = 1_000;

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

/** What the database was asked for: single keys, and how many at once. */
let single: string[] = [];
let many: number[] = [];
beforeEach(() => {
  [single, many] = [[], []];
});

function readsOver(method: Partial<RowStore> = {}): CachedReadService {
  const watched = withMethod(engine.rows, {
    read: (key, options) => {
      single.push(key.text);
      return engine.rows.read(key, options);
    },
    readMany: (resource, keys) => {
      many.push(keys.length);
      return engine.rows.readMany(resource, keys);
    },
    ...method,
  });
  const { entries: cache, recovery } = engine;
  const runtime = systemRuntime(quiet);
  const abandoned = new AbandonedIntents({ cache, recovery, lockTtlMs: 60_000, log: quiet });
  const telemetry = { emit: () => {} };
  return new CachedReadService({ cache, rows: watched, abandoned, telemetry, runtime });
}

/** Rows that are there and in no cache. */
async function rows(kind: 'account' | 'note', count: number): Promise<Key[]> {
  const keys = Array.from({ length: count }, () => engine[kind]((ids += 1)));
  for (const key of keys) {
    await engine.writer().write(engine.put(key, `of ${key.cacheKey}`));
    await engine.behind.del(key.cacheKey);
  }
  return keys;
}

/** A key with others beside it. */
async function keyAmong(kind: 'account' | 'note', count: number): Promise<[Key, Key[]]> {
  const keys = await rows(kind, count);
  const [first] = keys;
  if (first === undefined) throw new Error('no row');
  return [first, keys];
}

const together = (reads: CachedReadService, keys: readonly Key[]) =>
  Promise.all(keys.map((key) => reads.read(key, { together: true })));

const ownerOf = (key: Key): object => ({ version: 1, row: { owner: `of ${key.cacheKey}` } });

describe('reads that go together', () => {
  it('read all misses of a resource by one statement, and fill each', async () => {
    const reads = readsOver();
    const keys = [...(await rows('account', 12)), ...(await rows('note', 7))];
    expect(await together(reads, keys)).toMatchObject(
      keys.map((key) => ({ ...ownerOf(key), source: 'primary', isKept: true })),
    );
    expect([many.toSorted(), single]).toEqual([[12, 7], []]);
    expect(await together(reads, keys)).toMatchObject(
      keys.map((key) => ({ ...ownerOf(key), source: 'cache' })),
    );
    expect([many.length, single]).toEqual([2, []]);
  });

  it('answer absent rows too, and cache their absence', async () => {
    const reads = readsOver();
    const [there, keys] = await keyAmong('note', 1);
    const absent = engine.note((ids += 1));
    expect(await together(reads, [absent, ...keys])).toMatchObject([
      { version: 0, row: null },
      ownerOf(there),
    ]);
    expect(await engine.entry(absent)).toMatchObject({ state: 'value', row: null });
  });

  it('R3: of a key with an intent read the primary and fill nothing', async () => {
    const reads = readsOver();
    const [hidden, keys] = await keyAmong('account', 3);
    const intent = await engine.entries.placeIntent(hidden.cacheKey, 'someone', 0);
    const [first, ...others] = await together(reads, keys);
    expect(first).toMatchObject({ ...ownerOf(hidden), source: 'primary' });
    expect(first?.isKept).toBeUndefined();
    expect(others.every(({ isKept }) => isKept === true)).toBe(true);
    expect(await engine.entry(hidden)).toMatchObject({ state: 'intent' });
    expect(many).toEqual([3]);
    await engine.entries.withdrawIntent(hidden.cacheKey, intent, 1);
  });

  it('fill nothing over a write that came between the lease and the answer', async () => {
    const [written, keys] = await keyAmong('note', 3);
    const reads = readsOver({
      readMany: async (resource, asked) => {
        const before = await engine.rows.readMany(resource, asked);
        await engine.writer().write(engine.put(written, 'written meanwhile'));
        return before;
      },
    });
    await together(reads, keys);
    expect((await engine.entry(written)).state).toBe('tombstone');
    expect(await reads.read(written)).toMatchObject({ row: { owner: 'written meanwhile' } });
  });

  it('R1: share their loads with other reads of the same keys', async () => {
    const reads = readsOver();
    const [first, keys] = await keyAmong('account', 4);
    const answers = await Promise.all([
      ...[1, 2, 3].map(() => together(reads, keys)),
      reads.read(first).then((answer) => [answer]),
    ]);
    for (const { version } of answers.flat()) expect(version).toBe(1);
    // The first load of each key filled it, so the queued one found it in the cache.
    expect([many, single]).toEqual([[4], []]);
  });

  it('of which one cannot be read fail by themselves', async () => {
    const keys = await rows('note', 3);
    const tooLarge = (): Promise<never> =>
      Promise.reject(new LockstepError('TOO_LARGE', 'longer than a text can be'));
    const reads = readsOver({
      readMany: tooLarge,
      read: (key) => (key === keys[1] ? tooLarge() : engine.rows.read(key)),
    });
    const answers = await Promise.allSettled(
      keys.map((key) => reads.read(key, { together: true })),
    );
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('are answered by the primary in one statement if they ask for it', async () => {
    const reads = readsOver();
    const keys = await rows('note', 5);
    const options = { together: true, consistency: 'primary' } as const;
    const answers = await Promise.all(keys.map((key) => reads.read(key, options)));
    expect(answers).toMatchObject(keys.map((key) => ({ ...ownerOf(key), source: 'primary' })));
    expect([many, single]).toEqual([[5], []]);
    expect(await engine.behind.exists(keys.map(({ cacheKey }) => cacheKey))).toBe(0);
  });
});
