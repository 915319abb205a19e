import { beforeEach } from 'vitest';
import { accountKey, recordingTelemetry } from '@lockstep/testkit/doubles/keys';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';
import type { LockOptions } from '../lock-options.ts';
import { QueueingLockService } from '../lock-service.ts';
import type { HeldLock } from '../port.ts';

export const KEY = accountKey(1);

/** A lock service over nodes in memory and a clock that the test moves. */
export interface LockFixture {
  readonly runtime: ManualRuntime;
  readonly nodes: MemoryLockNodes;
  readonly telemetry: ReturnType<typeof recordingTelemetry>;
  service(options?: Partial<LockOptions>): QueueingLockService;
  /** Starts a call, and keeps the lock or the error that it ends in. */
  caller(
    locks: QueueingLockService,
    waitTimeoutMs?: number,
  ): { lock: HeldLock | null; error: unknown };
  eventsOf(type: string): LockFixture['telemetry']['events'];
}

/** Fresh parts before each test. */
export function useLocks(): LockFixture {
  let runtime: ManualRuntime;
  let nodes: MemoryLockNodes;
  let telemetry: ReturnType<typeof recordingTelemetry>;
  beforeEach(() => {
    runtime = manualRuntime();
    nodes = new MemoryLockNodes(runtime);
    telemetry = recordingTelemetry();
  });
  return {
    get runtime() {
      return runtime;
    },
    get nodes() {
      return nodes;
    },
    get telemetry() {
      return telemetry;
    },
    service: (options = {}) => new QueueingLockService({ nodes, runtime, telemetry, options }),
    caller(locks, waitTimeoutMs) {
      const state: { lock: HeldLock | null; error: unknown } = { lock: null, error: null };
      const timeout = waitTimeoutMs === undefined ? {} : { waitTimeoutMs };
      locks.acquire(KEY, { purpose: 'write', ...timeout }).then(
        (lock) => (state.lock = lock),
        (error: unknown) => (state.error = error),
      );
      return state;
    },
    eventsOf: (type) => telemetry.events.filter((event) => event.type === type),
  };
}
