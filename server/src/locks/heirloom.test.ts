import { describe, expect, it } from 'vitest';
import { manualRuntime } from '../runtime/testing/manual-runtime.ts';
import type { LockOptions } from './lock-options.ts';
import { createLockService } from './lock-service.ts';
import type { AcquireOptions, Turn } from './port.ts';
import { accountKey, recordingTelemetry } from './testing/keys.ts';
import { MemoryLockNodes } from './testing/memory-lock-nodes.ts';

const KEY = accountKey(1);
const HEIRLOOM = { intentId: 'next', fence: 7 };

function set(options: Partial<LockOptions> = {}) {
  const runtime = manualRuntime();
  const nodes = new MemoryLockNodes(runtime);
  const locks = createLockService({ nodes, runtime, telemetry: recordingTelemetry(), options });
  const acquire = (more: Partial<AcquireOptions> = {}): Promise<Turn> =>
    locks.acquire(KEY, { purpose: 'write', ...more });
  return { runtime, acquire };
}

describe('what a turn leaves standing', () => {
  it('goes to the one who follows, with the lock', async () => {
    const { acquire } = set();
    const first = await acquire({ inherits: true });
    expect(first.inherited).toBeNull();
    expect(first.isFollowed()).toBe(false);
    const second = acquire({ inherits: true });
    expect(first.isFollowed()).toBe(true);
    first.release(HEIRLOOM);
    expect((await second).inherited).toEqual(HEIRLOOM);
    expect(first.isFollowed()).toBe(false);
  });

  it('is for nobody where the next one does not inherit, or went away', async () => {
    const { acquire, runtime } = set();
    const first = await acquire({ inherits: true });
    const other = acquire({ purpose: 'recovery' });
    expect(first.isFollowed()).toBe(false);
    first.release();
    const turn = await other;
    const late = acquire({ inherits: true, waitTimeoutMs: 10 });
    expect(turn.isFollowed()).toBe(true);
    const refused = expect(late).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    await runtime.advance(20);
    await refused;
    expect(turn.isFollowed()).toBe(false);
  });

  it('is for nobody where the tenure is used up', async () => {
    const { acquire, runtime } = set({ maxTenureTurns: 1 });
    const first = await acquire({ inherits: true });
    const second = acquire({ inherits: true });
    expect(first.isFollowed()).toBe(false);
    first.release();
    await runtime.advance(200);
    expect((await second).inherited).toBeNull();
  });
});
