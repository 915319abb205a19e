import { HeldLeases, type LeaseService } from '../../server/src/leases/index.ts';
import { systemRuntime } from '../../server/src/runtime/index.ts';
import { MemoryLockNodes } from './memory-lock-nodes.ts';
import { QueueingLockService } from '../../server/src/locks/index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Leases of a coordinator whose database and cache answer at once: each grant has the next fence. */
export function stubLeases(): LeaseService {
  const runtime = systemRuntime(quiet);
  const nodes = new MemoryLockNodes(runtime);
  const locks = new QueueingLockService({ nodes, runtime, telemetry: { emit: () => {} } });
  let fence = 0;
  const row = { version: 0, fence: 0, row: null };
  return new HeldLeases({
    instance: 'here',
    locks,
    rows: {
      read: () => Promise.resolve(row),
      raiseFence: () => Promise.resolve({ status: 'raised', row }),
    },
    cache: { available: true },
    recovery: {
      takeOver: () => Promise.resolve({ fence: ++fence }),
      recoverSoon: () => undefined,
    },
    runtime,
  });
}
