import { beforeEach, describe, expect, it } from 'vitest';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import type { LockOptions } from './lock-options.ts';
import { createLockService, type ReportingLockService } from './lock-service.ts';
import type { HeldLock } from './port.ts';
import { accountKey, recordingTelemetry } from '@lockstep/testkit/doubles/keys';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';

const KEY = accountKey(1);

let runtime: ManualRuntime;
let nodes: MemoryLockNodes;
let telemetry: ReturnType<typeof recordingTelemetry>;

beforeEach(() => {
  runtime = manualRuntime();
  nodes = new MemoryLockNodes(runtime);
  telemetry = recordingTelemetry();
});

function service(options: Partial<LockOptions> = {}): ReportingLockService {
  return createLockService({ nodes, runtime, telemetry, options });
}

/** Collects turns and errors in the order in which callers are answered. */
function caller(locks: ReportingLockService, waitTimeoutMs?: number) {
  const state: { lock: HeldLock | null; error: unknown } = { lock: null, error: null };
  locks
    .acquire(KEY, { purpose: 'write', ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }) })
    .then(
      (lock) => (state.lock = lock),
      (error: unknown) => (state.error = error),
    );
  return state;
}

const eventsOf = (type: string) => telemetry.events.filter((event) => event.type === type);

describe('a processLock', () => {
  /** Callers that queue again at once after each turn. */
  function loop(locks: ReportingLockService, callers: number, holdMs: number, onHold: () => void) {
    for (let index = 0; index < callers; index++) {
      void (async () => {
        for (;;) {
          const lock = await locks.acquire(KEY, { purpose: 'write', waitTimeoutMs: 60_000 });
          onHold();
          await runtime.timers.sleep(holdMs);
          lock.release();
        }
      })();
    }
  }

  it('ends after its bound in turns', async () => {
    loop(service({ maxProcessLockHolds: 10, maxProcessLockMs: 60_000 }), 4, 1, () => undefined);
    await runtime.advance(1_000);
    const holds = eventsOf('lock-released').length;
    expect(holds).toBeGreaterThan(500);
    expect(nodes.tries.get(KEY.lockKey)).toBeCloseTo(holds / 10, -1);
  });

  it('ends after its bound in time', async () => {
    loop(service({ maxProcessLockHolds: 1e6, maxProcessLockMs: 100 }), 4, 1, () => undefined);
    await runtime.advance(999);
    expect(nodes.tries.get(KEY.lockKey)).toBe(10);
  });

  it('leaves other processes their share of a hot key', async () => {
    nodes.roundTripMs = 1;
    const holds = [0, 0, 0];
    for (const index of holds.keys()) {
      loop(service(), 16, 2, () => (holds[index] = (holds[index] ?? 0) + 1));
    }
    await runtime.advance(60_000);
    const sum = holds.reduce((total, count) => total + count, 0);
    expect(sum).toBeGreaterThan(60_000 / 2.4);
    for (const count of holds) expect(count / sum).toBeGreaterThan(0.2);
  });

  it('ends soon enough for a process that wants the key now and then', async () => {
    nodes.roundTripMs = 1;
    loop(service(), 32, 2, () => undefined);
    const rare = service();
    for (let count = 0; count < 20; count++) {
      await runtime.advance(500 + 500 * runtime.random.next());
      const wanted = caller(rare);
      await runtime.advanceUntil(() => wanted.lock !== null, 400);
      wanted.lock?.release();
    }
  });

  it('costs a process that is alone hardly any time', async () => {
    nodes.roundTripMs = 1;
    loop(service(), 16, 2, () => undefined);
    await runtime.advance(10_000);
    expect(eventsOf('lock-released').length).toBeGreaterThan(4_900);
  });

  it('never lets two turns run at once', async () => {
    nodes.roundTripMs = 1;
    let running = 0;
    let most = 0;
    for (let index = 0; index < 3; index++) {
      const locks = service({ maxProcessLockMs: 20 });
      for (let count = 0; count < 5; count++) {
        void (async () => {
          for (;;) {
            const lock = await locks.acquire(KEY, { purpose: 'write', waitTimeoutMs: 60_000 });
            most = Math.max(most, ++running);
            await runtime.timers.sleep(5 * runtime.random.next());
            running--;
            lock.release();
          }
        })();
      }
    }
    await runtime.advance(10_000);
    expect(most).toBe(1);
  });
});
