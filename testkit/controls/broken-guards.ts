import type { EnginePorts } from '../../server/src/coordinator/engine-ports.ts';
import { over } from './over.ts';

/**
 * A guard that ends without a commit withdraws its intents before the database has stored its fence, so that a late
 * transaction of its caller commits while readers fill again (W22 broken).
 */
export function endGuardsWithoutFence({
  rows,
  guards,
}: Pick<EnginePorts, 'rows' | 'guards'>): Pick<EnginePorts, 'rows' | 'guards'> {
  /** Fences of guards. A recovery has fences of its own, and stores them. */
  const fences = new Set<number>();
  return {
    guards: over(guards, {
      add: (keys) => {
        for (const { fence } of keys) fences.add(fence);
        return guards.add(keys);
      },
    }),
    rows: over(rows, {
      raiseFence: async (...asked) => {
        const [key, fence] = asked;
        if (!fences.has(fence)) return rows.raiseFence(...asked);
        return { status: 'raised', row: await rows.read(key) };
      },
    }),
  };
}
