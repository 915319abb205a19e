import { decodeEntry, type Entry } from '@lockstep/shared';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EntryStore, Intent } from './port.ts';

/** Direct access to the cache, past the store under test. */
export interface EntryStoreFixture {
  store: EntryStore;
  /** The text at a cache key. */
  text(cacheKey: string): Promise<string | null>;
  /** Puts text at a cache key behind the store's back. */
  put(cacheKey: string, text: string): Promise<void>;
}

const ROW = { id: 1, owner: 'ada' };
const value = (version: number, owner = 'ada') => ({
  version,
  row: { id: 1, owner },
  ttlMs: 60_000,
});

/** What every EntryStore must do; each name carries the invariant of docs/SPEC.md that it holds. */
export function describeEntryStore(name: string, fixture: () => EntryStoreFixture): void {
  describe(`${name} keeps the entry protocol`, () => {
    let store: EntryStore;
    let cacheKey = '';
    let count = 0;
    let intents = 0;
    const entry = async (): Promise<Entry> => {
      const decoded = decodeEntry((await fixture().text(cacheKey)) ?? '');
      if (decoded.state === 'corrupt') throw new Error(decoded.reason);
      return decoded;
    };
    const placeIntent = (aboveFence = 0): Promise<Intent> =>
      store.placeIntent(cacheKey, `intent-${(intents += 1)}`, aboveFence);
    const filled = async (version: number): Promise<void> => {
      await store.leaseOrRead(cacheKey, 'filler');
      expect(await store.fill(cacheKey, 'filler', value(version))).toBe('filled');
    };

    beforeEach(() => {
      ({ store } = fixture());
      cacheKey = `account:${(count += 1)}`;
    });

    it('E1: a miss leaves a lease, and its holder fills', async () => {
      expect(await store.leaseOrRead(cacheKey, 'a')).toEqual({ state: 'leased', leastVersion: 0 });
      expect(await store.fill(cacheKey, 'a', { version: 3, row: ROW, ttlMs: 60_000 })).toBe(
        'filled',
      );
      expect(await entry()).toMatchObject({ state: 'value', version: 3, row: ROW });
      expect(await store.ttlMs(cacheKey)).toBeGreaterThan(50_000);
    });

    it('E1: a second reader gets no lease and cannot fill', async () => {
      await store.leaseOrRead(cacheKey, 'a');
      expect(await store.leaseOrRead(cacheKey, 'b')).toEqual({ state: 'busy', leastVersion: 0 });
      expect(await store.fill(cacheKey, 'b', value(1))).toBe('refused');
      expect((await entry()).state).toBe('lease');
    });

    it('E1: a reader that meets a value or an intent gets it instead of a lease', async () => {
      await filled(2);
      expect(await store.leaseOrRead(cacheKey, 'b')).toMatchObject({
        state: 'found',
        stored: { entry: { version: 2 } },
      });
      await placeIntent();
      expect(await store.leaseOrRead(cacheKey, 'b')).toMatchObject({
        state: 'found',
        stored: { entry: { state: 'intent' } },
      });
    });

    it('E2: a tombstone kills a lease, and a slow reader fills nothing', async () => {
      await store.leaseOrRead(cacheKey, 'slow');
      expect(await store.invalidate(cacheKey, 5)).toBe('invalidated');
      expect(await store.fill(cacheKey, 'slow', value(4))).toBe('refused');
      expect(await entry()).toMatchObject({ state: 'tombstone', version: 5 });
    });

    it('E2: no fill below the version of the tombstone that the lease replaced', async () => {
      await store.invalidate(cacheKey, 5);
      expect(await store.leaseOrRead(cacheKey, 'a')).toEqual({ state: 'leased', leastVersion: 5 });
      expect(await store.fill(cacheKey, 'a', value(4))).toBe('refused');
      expect(await store.fill(cacheKey, 'a', value(5))).toBe('filled');
    });

    it('E3: an intent kills a lease and a value, has no expiry, and cannot be filled over', async () => {
      await store.leaseOrRead(cacheKey, 'slow');
      await placeIntent();
      expect(await store.fill(cacheKey, 'slow', value(1))).toBe('refused');
      expect((await entry()).state).toBe('intent');
      expect(await store.ttlMs(cacheKey)).toBeNull();
    });

    it('E4: fences of one key only grow, above the asked-for bound and the entry', async () => {
      const first = await placeIntent();
      const second = await placeIntent();
      expect(second.fence).toBeGreaterThan(first.fence);
      const bound = second.fence + 1_000_000_000;
      const third = await placeIntent(bound);
      expect(third.fence).toBeGreaterThan(bound);
      await store.publish(cacheKey, third, 1, value(1));
      expect((await placeIntent()).fence).toBe(third.fence + 1);
      const several = await store.placeIntent(cacheKey, 'several', bound, 64);
      expect(several.fence).toBe(third.fence + 1 + 64);
    });

    it('E5: the owner publishes its value over its own intent', async () => {
      const intent = await placeIntent();
      expect(await store.publish(cacheKey, intent, 7, value(7))).toBe('fresh');
      expect(await entry()).toMatchObject({ state: 'value', version: 7, fence: intent.fence });
    });

    it('E5: a publish over a newer intent changes nothing', async () => {
      const old = await placeIntent();
      const newer = await placeIntent();
      expect(await store.publish(cacheKey, old, 7, value(7))).toBe('invalidated');
      expect(await entry()).toMatchObject({ state: 'intent', fence: newer.fence });
    });

    it('E5: a publish never replaces a newer value', async () => {
      const intent = await placeIntent();
      const recovery = await placeIntent();
      await store.publish(cacheKey, recovery, 8, value(8, 'new'));
      expect(await store.publish(cacheKey, intent, 7, value(7, 'old'))).toBe('fresh');
      expect(await entry()).toMatchObject({ version: 8, row: { owner: 'new' } });
    });

    it('E5: a publish that finds its intent gone leaves a tombstone of its version', async () => {
      const intent = await placeIntent();
      await fixture().put(cacheKey, 'not an entry');
      expect(await store.publish(cacheKey, intent, 7, value(7))).toBe('invalidated');
      expect(await entry()).toMatchObject({ state: 'tombstone', version: 7 });
    });

    it('E6: an invalidation marks an intent, and its owner then leaves a tombstone', async () => {
      const intent = await placeIntent();
      expect(await store.invalidate(cacheKey, null)).toBe('invalidated');
      expect(await entry()).toMatchObject({ state: 'intent', ...intent, marked: true });
      expect(await store.ttlMs(cacheKey)).toBeNull();
      expect(await store.publish(cacheKey, intent, 2, value(2))).toBe('invalidated');
      expect(await entry()).toMatchObject({ state: 'tombstone', version: 2 });
    });

    it('E6: a withdrawn intent becomes a tombstone; another holder’s intent stays', async () => {
      const old = await placeIntent();
      const newer = await placeIntent();
      await store.withdrawIntent(cacheKey, old, 3);
      expect(await entry()).toMatchObject({ state: 'intent', fence: newer.fence });
      await store.withdrawIntent(cacheKey, newer, 3);
      expect(await entry()).toMatchObject({ state: 'tombstone', version: 3 });
    });

    it('E7: an invalidation with a version leaves a value of that version or newer', async () => {
      await filled(4);
      expect(await store.invalidate(cacheKey, 4)).toBe('fresh');
      expect((await entry()).state).toBe('value');
      expect(await store.invalidate(cacheKey, 5)).toBe('invalidated');
      expect(await entry()).toMatchObject({ state: 'tombstone', version: 5 });
    });

    it('E7: an invalidation without a version removes every value', async () => {
      await filled(4);
      expect(await store.invalidate(cacheKey, null)).toBe('invalidated');
      expect(await entry()).toMatchObject({ state: 'tombstone', version: 4 });
    });

    it('E8: a repair touches only the very entry that was seen, and never an intent', async () => {
      await filled(4);
      const seen = (await fixture().text(cacheKey)) ?? '';
      await store.invalidate(cacheKey, 5);
      expect(await store.invalidateIfUnchanged(cacheKey, seen)).toBe(false);
      await placeIntent();
      const intent = (await fixture().text(cacheKey)) ?? '';
      expect(await store.invalidateIfUnchanged(cacheKey, intent)).toBe(false);
      await fixture().put(cacheKey, 'broken');
      expect(await store.invalidateIfUnchanged(cacheKey, 'broken')).toBe(true);
      expect((await entry()).state).toBe('tombstone');
    });

    it('E5, E6: an intent of the same fence is another one where its id is', async () => {
      const intent = await placeIntent();
      const namesake = { ...intent, intentId: 'earlier' };
      expect(await store.publish(cacheKey, namesake, 7, value(7))).toBe('invalidated');
      await store.withdrawIntent(cacheKey, namesake, 7);
      expect(await store.intentAgeMs(cacheKey, namesake)).toBeNull();
      expect(await entry()).toMatchObject({ state: 'intent', ...intent, marked: false });
    });

    it('E6: a marked intent is still its owner’s', async () => {
      const intent = await placeIntent();
      await store.invalidate(cacheKey, null);
      await store.withdrawIntent(cacheKey, intent, 1);
      expect((await entry()).state).toBe('tombstone');
    });

    it('E6: an intent without an id is nobody’s, until another one replaces it', async () => {
      const { fence } = await placeIntent();
      await fixture().put(cacheKey, `{"s":"intent","v":0,"f":${fence},"t":1}\nnull`);
      expect(await store.publish(cacheKey, { intentId: 'a', fence }, 1, value(1))).toBe(
        'invalidated',
      );
      expect(await store.intentAgeMs(cacheKey, { intentId: '', fence })).toBeGreaterThan(0);
      await store.invalidate(cacheKey, null);
      expect(await entry()).toMatchObject({ state: 'intent', intentId: '', marked: true });
      expect((await placeIntent()).fence).toBeGreaterThan(fence);
    });

    it('tells the age of an intent by its fence and id only', async () => {
      const intent = await placeIntent();
      expect(await store.intentAgeMs(cacheKey, intent)).toBeGreaterThanOrEqual(0);
      expect(await store.intentAgeMs(cacheKey, { ...intent, fence: intent.fence - 1 })).toBeNull();
    });

    it('reads what is not an entry as corrupt, and a miss replaces it', async () => {
      await fixture().put(cacheKey, '{"s":"value"}\nnull');
      expect((await store.read(cacheKey))?.entry.state).toBe('corrupt');
      expect(await store.leaseOrRead(cacheKey, 'a')).toEqual({ state: 'leased', leastVersion: 0 });
    });

    it('keeps values that Lua or JSON could mangle', async () => {
      const row = { id: '9007199254740993', text: 'é\u2028"\\\n\u0000💥', empty: {}, list: [] };
      const intent = await placeIntent();
      await store.publish(cacheKey, intent, 1, { version: 1, row, ttlMs: 1000 });
      expect((await store.read(cacheKey))?.entry).toMatchObject({ row, fence: intent.fence });
    });

    it('deletes cache keys that are no entries', async () => {
      await fixture().put('owner:ada:accounts', '[1]');
      expect(await store.invalidate('owner:ada:accounts', null)).toBe('invalidated');
      expect(await fixture().text('owner:ada:accounts')).toBeNull();
    });
  });
}
