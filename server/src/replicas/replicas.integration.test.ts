import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '@lockstep/testkit/doubles/run-cli';
import { installedClients } from '@lockstep/testkit/servers';
import { openReplicatedWorld, type ReplicatedWorld } from './testing/replicated-engine.ts';

/** Older than any position that is enough for a miss without a tombstone. */
const LONG_BEHIND_MS = 1_000;

describe.each(installedClients())('replicas of %s', (client) => {
  let world: ReplicatedWorld;
  let ids = 0;
  beforeAll(async () => {
    world = await openReplicatedWorld(client);
  }, 180_000);
  afterAll(() => world?.stop());

  const newId = (): number => (ids += 1);
  const put = (id: number, text: string) =>
    world.one.writes.write({
      key: world.one.note(id),
      change: { op: 'put', set: { text }, onlyCreate: false },
    });
  const read = (id: number) => world.one.reads.read(world.one.note(id));
  const readElsewhere = (id: number) => world.other.reads.read(world.other.note(id));
  const lag = () => world.one.replicas.reports()[0]?.lagMs ?? Infinity;
  /** Whether a miss without a tombstone is answered by the replica: it is up, and has caught up. */
  const caughtUp = async (): Promise<void> => {
    await expect
      .poll(async () => {
        const id = newId();
        return (await Promise.all([read(id), readElsewhere(id + 1_000_000)])).map(
          ({ source }) => source,
        );
      })
      .toEqual(['replica', 'replica']);
  };
  const whilePaused = async (work: () => Promise<void>): Promise<void> => {
    await world.replica.pauseReplay();
    try {
      await work();
    } finally {
      await world.replica.resumeReplay();
    }
  };
  const longBehind = (): Promise<void> => expect.poll(lag).toBeGreaterThan(LONG_BEHIND_MS);

  it('G1: a fill comes from a replica that has reached the tombstone', async () => {
    await caughtUp();
    const id = newId();
    await put(id, 'new');
    await expect
      .poll(async () => {
        await world.one.writes.invalidate([world.one.note(id)], []);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return (await read(id)).source;
      })
      .toBe('replica');
    expect(await read(id)).toMatchObject({ source: 'cache', version: 1, row: { text: 'new' } });
    expect(await world.entry(world.one.note(id))).toMatchObject({
      state: 'value',
      reached: expect.stringMatching(/^\d+/) as string,
      upTo: expect.stringMatching(/^\d+/) as string,
    });
  });

  it('G1: with replay paused, nothing older than an acknowledged write is answered or filled', async () => {
    await caughtUp();
    const id = newId();
    await put(id, 'old');
    await caughtUp();
    await whilePaused(async () => {
      expect(await put(id, 'new')).toMatchObject({ version: 2, cache: 'invalidated' });
      const tombstone = await world.entry(world.one.note(id));
      expect(tombstone).toMatchObject({ state: 'tombstone', version: 2 });
      expect(tombstone).toHaveProperty('position');
      expect(await readElsewhere(id)).toMatchObject({ source: 'primary', row: { text: 'new' } });
      expect(await read(id)).toMatchObject({ source: 'cache', row: { text: 'new' } });
    });
  });

  it('G1: nor older than a change that went round Lockstep and was named, which has no version', async () => {
    await caughtUp();
    const id = newId();
    await put(id, 'old');
    await caughtUp();
    await whilePaused(async () => {
      await world.execute(`update notes set text = 'changed' where id = ${id}`);
      await world.one.writes.invalidate([world.one.note(id)], []);
      expect(await readElsewhere(id)).toMatchObject({
        source: 'primary',
        version: 1,
        row: { text: 'changed' },
      });
    });
  });

  it('G1: a tombstone without a position leaves only the primary', async () => {
    await caughtUp();
    const id = newId();
    await put(id, 'here');
    const key = world.one.note(id);
    await world.forget(key);
    await caughtUp();
    const { entries } = world.one;
    expect(await entries.invalidate(key.cacheKey, null, null)).toBe('invalidated');
    expect(await entries.leaseOrRead(key.cacheKey, 'reader')).toMatchObject({ after: '*' });
    // A later invalidation with a known position does not change that.
    await entries.invalidate(key.cacheKey, null);
    expect(await world.entry(key)).not.toHaveProperty('position');
    expect(await read(id)).toMatchObject({ source: 'primary', row: { text: 'here' } });
  });

  it('G1: the later of two positions stays, whichever tombstone comes last', async () => {
    const key = world.one.note(newId());
    const { entries } = world.one;
    for (const position of ['99', '1000', '998@0-1-998']) {
      await entries.invalidate(key.cacheKey, null, position);
    }
    expect(await world.entry(key)).toMatchObject({ state: 'tombstone', position: '1000' });
    expect(await entries.leaseOrRead(key.cacheKey, 'a')).toMatchObject({ after: '1000' });
    expect(await entries.leaseOrRead(key.cacheKey, 'b')).toMatchObject({
      state: 'busy',
      after: '1000',
    });
    await entries.invalidate(key.cacheKey, null, '5');
    expect(await world.entry(key)).toMatchObject({ position: '1000' });
    await entries.invalidate(key.cacheKey, null, '1001');
    expect(await world.entry(key)).toMatchObject({ position: '1001' });
  });

  it('G1: a value that is too old for a token is not replaced by one from before its invalidation', async () => {
    const id = newId();
    const key = world.one.note(id);
    await put(id, 'old');
    const { entries, replicas } = world.one;
    const seen = (await replicas.current()) ?? '*';
    await expect.poll(() => replicas.read(key, { after: [seen], leastVersion: 0 })).not.toBeNull();
    await whilePaused(async () => {
      await world.execute(`update notes set text = 'changed' where id = ${id}`);
      await world.one.writes.invalidate([key], []);
      await entries.leaseOrRead(key.cacheKey, 'reader');
      const row = { id, text: 'changed' };
      const value = { version: 1, row, ttlMs: 60_000, reached: '1' };
      expect(await entries.fill(key.cacheKey, 'reader', value)).toBe('filled');
      // The replica has what the caller has seen, but not the change.
      const answer = await world.one.reads.read(key, {
        seen: { entries: seen, databases: seen },
      });
      expect(answer).toMatchObject({ source: 'primary', row: { text: 'changed' } });
      expect(await read(id)).toMatchObject({ row: { text: 'changed' } });
    });
  });

  it('G1: a position that makes no sense leaves only the primary', async () => {
    const id = newId();
    await put(id, 'here');
    const key = world.one.note(id);
    await caughtUp();
    await world.plant(key, '{"s":"tombstone","v":1,"f":0,"t":1,"p":"nonsense"}\nnull');
    expect(await read(id)).toMatchObject({ source: 'primary', row: { text: 'here' } });
    await world.plant(key, '{"s":"value","v":1,"f":0,"t":1,"p":"nonsense"}\n{"id":1,"text":"x"}');
    const seen = (await world.one.replicas.current()) ?? '*';
    const answer = await world.one.reads.read(key, { seen: { entries: seen, databases: seen } });
    expect(answer).toMatchObject({ row: { text: 'here' } });
  });

  it('G2: without a tombstone, a replica that is long behind fills nothing', async () => {
    const id = newId();
    await put(id, 'old');
    await caughtUp();
    await whilePaused(async () => {
      await put(id, 'new');
      await longBehind();
      await world.forget(world.one.note(id));
      expect(await readElsewhere(id)).toMatchObject({ source: 'primary', row: { text: 'new' } });
      const never = newId();
      expect(await readElsewhere(never)).toMatchObject({ source: 'primary', row: null });
    });
  });

  it('G2: a cache that has just come back has forgotten what no poll covers yet', async () => {
    await caughtUp();
    const { RowSource } = await import('../reads/row-source.ts');
    const asked: unknown[] = [];
    const read = () => Promise.resolve({ version: 1, fence: 0, row: null });
    const clock = { nowMs: () => 10_000, wallMs: () => 0 };
    const source = new RowSource({
      clock,
      rows: { read },
      combined: { read },
      replicas: {
        current: () => Promise.resolve('1'),
        latest: () => '1',
        read: (_, need) => Promise.resolve(void asked.push(need) as never).then(() => null),
      },
    });
    const attempt = { state: 'leased', leastVersion: 0 } as const;
    const miss = { attempt, confirmed: false, together: false };
    const key = world.one.note(newId());
    await source.forMiss(key, { ...miss, cacheSinceMs: 9_900 });
    await source.forMiss(key, { ...miss, cacheSinceMs: 0 });
    expect(asked).toEqual([
      { after: [], leastVersion: 0, youngerThanMs: 100 },
      { after: [], leastVersion: 0, youngerThanMs: 750 },
    ]);
  });

  it('G5: lockstep check tells a replica from what is none', async () => {
    const outcome = async (...replicas: string[]) => {
      const config = {
        database: { client, connection: world.primary.url, replicas },
        cache: { mode: 'embedded' },
        locks: { mode: 'embedded' },
      };
      const { out } = await run(['check', '--json'], { demo: config });
      return (JSON.parse(out.join('')) as { faults: { path: string; message: string }[] }).faults
        .filter(({ path }) => path.startsWith('database.replicas'))
        .map(({ path, message }) => `${path} ${message}`)
        .sort();
    };
    expect(await outcome(world.replica.server.url)).toEqual([]);
    const none = new URL(world.primary.url);
    none.port = '1';
    const same = new URL(world.primary.url);
    same.hostname = 'localhost';
    expect(await outcome(none.href, same.href)).toEqual([
      expect.stringMatching(/^database.replicas.0 does not answer: /),
      expect.stringMatching(/^database.replicas.1 (does not replicate|cannot be read)/),
    ]);
  });

  it('tells how far a replica is behind, and reads it again when it has caught up', async () => {
    await caughtUp();
    await whilePaused(async () => {
      await put(newId(), 'more');
      await longBehind();
      expect(world.one.replicas.lagMs()).toBeGreaterThan(LONG_BEHIND_MS);
      expect(world.one.events).toContainEqual(
        expect.objectContaining({ type: 'replica-asked', result: 'behind' }),
      );
    });
    await caughtUp();
    await expect.poll(lag).toBeLessThan(LONG_BEHIND_MS);
  });
});
