import { describe, expect, it } from 'vitest';
import type { LeadershipStore } from './leadership.ts';

/** What every store of leaders does. Each case uses jobs of its own. */
export function describeLeadershipStore(name: string, open: () => LeadershipStore): void {
  describe(`${name} is a store of leaders`, () => {
    it('elects one leader at a time, and the next one when it has resigned', async () => {
      const store = open();
      const elections = await Promise.all(
        ['a', 'b', 'c', 'd'].map((leader) => store.elect('one', leader, 60_000, null)),
      );
      expect(elections.filter(({ elected }) => elected)).toHaveLength(1);
      const leader = ['a', 'b', 'c', 'd'][elections.findIndex(({ elected }) => elected)] ?? '';
      await store.resign('one', 'somebody else');
      expect(await store.elect('one', 'e', 60_000, null)).toMatchObject({ elected: false });
      await store.resign('one', leader);
      expect(await store.elect('one', 'e', 60_000, null)).toEqual({ elected: true });
    });

    it('elects another leader when a term has expired, and refuses its renewal then', async () => {
      const store = open();
      expect(await store.elect('dies', 'a', 0, null)).toEqual({ elected: true });
      expect(await store.elect('dies', 'b', 60_000, null)).toEqual({ elected: true });
      expect(await store.renew('dies', 'a', 60_000)).toBe(false);
      expect(await store.renew('dies', 'b', 60_000)).toBe(true);
    });

    it('refuses a scheduled run where another one began too recently, and says how long to wait', async () => {
      const store = open();
      expect(await store.elect('often', 'a', 60_000, 10_000)).toEqual({ elected: true });
      await store.resign('often', 'a');
      const refused = await store.elect('often', 'b', 60_000, 10_000);
      if (refused.elected) throw new Error('a second scheduled run began');
      expect(refused.retryInMs).toBeGreaterThan(5_000);
      expect(refused.retryInMs).toBeLessThanOrEqual(10_000);
      // A run on demand may begin at any time, and does not count as a scheduled one.
      expect(await store.elect('often', 'c', 60_000, null)).toEqual({ elected: true });
      await store.resign('often', 'c');
      expect(await store.elect('often', 'd', 60_000, 0)).toEqual({ elected: true });
    });
  });
}
