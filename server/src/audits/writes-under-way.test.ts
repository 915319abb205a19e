import { describe, expect, it } from 'vitest';
import { MemoryWorld, rowOf } from './testing/memory-world.ts';
import { audit } from './testing/run-audit.ts';

describe('writes under way', () => {
  it('are not called drift: the entry was replaced by the second look (X4)', async () => {
    const world = new MemoryWorld();
    world.put(1);
    world.rows.set('1', { version: 2, row: rowOf(1, '6') });
    world.beforeRead = (read) => {
      if (read === 2) world.cacheValue(1, 2, rowOf(1, '6'));
    };
    expect((await audit(world)).drift.stale).toBe(0);
  });

  it('are not called drift on a key that is written all the time (X4)', async () => {
    const world = new MemoryWorld();
    world.put(1);
    world.beforeRead = (read) => {
      world.runtime.stall(1);
      world.cacheValue(1, read, rowOf(1, String(read)));
      world.rows.set('1', { version: read + 1, row: rowOf(1, String(read + 1)) });
    };
    expect((await audit(world)).drift.stale).toBe(0);
    expect(world.calls).toEqual([]);
  });

  it('are skipped where an intent is live, at either look (X4)', async () => {
    const world = new MemoryWorld();
    world.put(1);
    world.put(2);
    world.cacheIntent(1);
    world.rows.set('2', { version: 2, row: rowOf(2, '6') });
    world.beforeRead = (read) => {
      if (read === 2) world.cacheIntent(2);
    };
    expect(await audit(world)).toMatchObject({ sampled: 1, repaired: 0, drift: { stale: 0 } });
    expect(world.calls).toEqual([]);
  });

  it('are not called drift where a wrong row was put right meanwhile (X4)', async () => {
    const world = new MemoryWorld();
    world.put(1);
    world.rows.set('1', { version: 1, row: rowOf(1, '6') });
    world.beforeRead = (read) => {
      if (read === 2) world.rows.set('1', { version: 1, row: rowOf(1) });
    };
    expect((await audit(world)).drift.stale).toBe(0);
  });

  it('keep a repair from touching what they wrote (E8, X4)', async () => {
    const world = new MemoryWorld();
    world.put(1);
    world.rows.set('1', { version: 2, row: rowOf(1, '6') });
    const addFinding = world.store.addFinding.bind(world.store);
    world.store.addFinding = (finding) => {
      world.cacheIntent(1);
      return addFinding(finding);
    };
    expect(await audit(world)).toMatchObject({ drift: { stale: 1 }, repaired: 0, failed: 0 });
    expect(world.cached.get('account:1')?.text).toContain('intent');
    expect((await world.audits.findings({ limit: 1 })).findings[0]?.status).toBe('superseded');
  });
});
