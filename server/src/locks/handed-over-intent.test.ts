import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import type { LockOptions } from './lock-options.ts';
import { createLockService } from './lock-service.ts';
import type { AcquireOptions, HeldLock } from './port.ts';
import { accountKey, recordingTelemetry } from '@lockstep/testkit/doubles/keys';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';

const KEY = accountKey(1);
const INTENT = { intentId: 'next', fence: 7 };

function set(options: Partial<LockOptions> = {}) {
  const runtime = manualRuntime();
  const nodes = new MemoryLockNodes(runtime);
  const locks = createLockService({ nodes, runtime, telemetry: recordingTelemetry(), options });
  const acquire = (more: Partial<AcquireOptions> = {}): Promise<HeldLock> =>
    locks.acquire(KEY, { purpose: 'write', ...more });
  return { runtime, acquire };
}

describe('what a lock leaves standing', () => {
  it('goes to the one who follows, with the lock', async () => {
    const { acquire } = set();
    const first = await acquire({ acceptsIntent: true });
    expect(first.handedOverIntent).toBeNull();
    expect(first.canHandOverIntent()).toBe(false);
    const second = acquire({ acceptsIntent: true });
    expect(first.canHandOverIntent()).toBe(true);
    first.release(INTENT);
    expect((await second).handedOverIntent).toEqual(INTENT);
    expect(first.canHandOverIntent()).toBe(false);
  });

  it('is for nobody where the next one does not inherit, or went away', async () => {
    const { acquire, runtime } = set();
    const first = await acquire({ acceptsIntent: true });
    const other = acquire({ purpose: 'recovery' });
    expect(first.canHandOverIntent()).toBe(false);
    first.release();
    const lock = await other;
    const late = acquire({ acceptsIntent: true, waitTimeoutMs: 10 });
    expect(lock.canHandOverIntent()).toBe(true);
    const refused = expect(late).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    await runtime.advance(20);
    await refused;
    expect(lock.canHandOverIntent()).toBe(false);
  });

  it('is for nobody where the processLock is used up', async () => {
    const { acquire, runtime } = set({ maxProcessLockHolds: 1 });
    const first = await acquire({ acceptsIntent: true });
    const second = acquire({ acceptsIntent: true });
    expect(first.canHandOverIntent()).toBe(false);
    first.release();
    await runtime.advance(200);
    expect((await second).handedOverIntent).toBeNull();
  });
});
