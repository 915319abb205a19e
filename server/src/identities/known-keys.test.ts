import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { MemoryKeyStore } from '@lockstep/testkit/doubles/memory-key-store';
import { LockstepError } from '../domain/index.ts';
import { prefixOf } from './key-text.ts';
import { KNOWN_FOR_MS, KnownKeys, LOOK_EVERY_MS, type ShownKey } from './known-keys.ts';

const shown = (token: string): ShownKey => ({
  prefix: prefixOf(token) ?? '',
  digest: hash('sha256', token, 'buffer'),
});

async function started(
  store: MemoryKeyStore,
): Promise<{ keys: KnownKeys; runtime: ManualRuntime }> {
  const runtime = manualRuntime();
  const keys = new KnownKeys(store, runtime);
  const start = keys.start();
  await runtime.settle();
  await start;
  return { keys, runtime };
}

async function stop(keys: KnownKeys, runtime: ManualRuntime): Promise<void> {
  const stopped = keys.stop();
  await runtime.settle();
  await stopped;
  expect(runtime.pendingTimers).toBe(0);
}

const unknown = (): string => new MemoryKeyStore().add([]);
const away = (): Error => new LockstepError('DATABASE_UNAVAILABLE', 'away');

describe('a known key', () => {
  it('is recognized by its whole text, and asks the database nothing', async () => {
    const store = new MemoryKeyStore();
    const token = store.add(['read:note']);
    const { keys, runtime } = await started(store);
    for (let call = 0; call < 1_000; call += 1)
      expect(keys.holderOf(shown(token))?.access.has('read')).toBe(true);
    const last = token.endsWith('A') ? 'B' : 'A';
    expect(keys.holderOf(shown(token.slice(0, -1) + last))).toBeNull();
    expect(store.looks).toBe(1);
    await stop(keys, runtime);
  });

  it('counts no more within a second of its revocation (I3)', async () => {
    const store = new MemoryKeyStore();
    const token = store.add(['read:note']);
    const { keys, runtime } = await started(store);
    store.keys.pop();
    await runtime.advance(LOOK_EVERY_MS);
    expect(keys.holderOf(shown(token))).toBeNull();
    await stop(keys, runtime);
  });

  it('ends at its time, also while the database does not answer (I3)', async () => {
    const store = new MemoryKeyStore();
    const token = store.add(['read:note'], null, { leftMs: 5_000 });
    const { keys, runtime } = await started(store);
    store.fault = away();
    await runtime.advance(4_900);
    expect(keys.holderOf(shown(token))).not.toBeNull();
    await runtime.advance(200);
    expect(keys.holderOf(shown(token))).toBeNull();
    await stop(keys, runtime);
  });

  it('is valid by both secrets after a rotation, and by the former one for its grace (I3)', async () => {
    const store = new MemoryKeyStore();
    const before = store.add(['read:note']);
    const after = store.add(['read:note']);
    const [old, renewed] = store.keys.splice(0);
    if (old === undefined || renewed === undefined) throw new Error('no keys');
    const rotated = before.replace(old.prefix, renewed.prefix);
    const secretHash = hash('sha256', rotated, 'hex');
    store.keys.push({ ...renewed, former: { secretHash, leftMs: 3_000 } });
    const { keys, runtime } = await started(store);
    store.fault = away();
    for (const token of [after, rotated]) expect(keys.holderOf(shown(token))).not.toBeNull();
    await runtime.advance(3_100);
    expect(keys.holderOf(shown(after))).not.toBeNull();
    expect(keys.holderOf(shown(rotated))).toBeNull();
    await stop(keys, runtime);
  });

  it('counts for five minutes while the database does not answer, and then nothing does', async () => {
    const store = new MemoryKeyStore();
    const token = store.add(['read:note']);
    const { keys, runtime } = await started(store);
    store.fault = away();
    await runtime.advance(KNOWN_FOR_MS - 1_000);
    expect(keys.holderOf(shown(token))).not.toBeNull();
    await runtime.advance(3_000);
    expect(() => keys.holderOf(shown(token))).toThrow(/not known whether this API key is valid/);
    expect(runtime.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    store.fault = null;
    await runtime.advance(2_000);
    expect(keys.holderOf(shown(token))).not.toBeNull();
    await stop(keys, runtime);
  });

  it('has its use noted about once a minute', async () => {
    const store = new MemoryKeyStore();
    const token = store.add(['read:note']);
    const { keys, runtime } = await started(store);
    for (let second = 0; second < 125; second += 1) {
      keys.holderOf(shown(token));
      await runtime.advance(1_000);
    }
    expect(store.used).toHaveLength(2);
    expect(new Set(store.used)).toEqual(new Set([store.keys[0]?.id]));
    await stop(keys, runtime);
  });
});

describe('an unknown key', () => {
  it('is looked for at once, so that a new key counts as soon as it is made (I3)', async () => {
    const store = new MemoryKeyStore();
    const { keys, runtime } = await started(store);
    const token = store.add(['read:note']);
    expect(keys.holderOf(shown(token))).toBeNull();
    const sought = keys.soughtHolderOf(shown(token));
    await runtime.advance(300);
    expect((await sought)?.access.has('read')).toBe(true);
    await stop(keys, runtime);
  });

  it('costs at most five looks a second, however many calls show one (I4)', async () => {
    const store = new MemoryKeyStore();
    const { keys, runtime } = await started(store);
    let refused = 0;
    for (let tick = 0; tick < 100; tick += 1) {
      for (let call = 0; call < 50; call += 1)
        void keys.soughtHolderOf(shown(unknown())).then((holder) => {
          if (holder === null) refused += 1;
        });
      await runtime.advance(20);
    }
    await runtime.advance(1_000);
    expect(refused).toBe(5_000);
    expect(store.looks).toBeLessThanOrEqual(2 + (5 * 3_000) / 1_000);
    await stop(keys, runtime);
  });

  it('is not called unknown while the database does not answer', async () => {
    const store = new MemoryKeyStore();
    const { keys, runtime } = await started(store);
    store.fault = away();
    await runtime.advance(3_000);
    const looks = store.looks;
    const sought = keys.soughtHolderOf(shown(unknown()));
    await expect(sought).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(store.looks).toBe(looks);
    await stop(keys, runtime);
  });
});
