import type { Invalidation } from './port.ts';

type Freshness = 'fresh' | 'invalidated';

/** Invalidates all at once. Each gets its own result or error. */
export async function invalidateEach(
  items: readonly Invalidation[],
  invalidate: (item: Invalidation) => Promise<Freshness>,
): Promise<(Freshness | Error)[]> {
  const results = await Promise.allSettled(items.map(invalidate));
  return results.map((result) => {
    if (result.status === 'fulfilled') return result.value;
    const reason: unknown = result.reason;
    return reason instanceof Error ? reason : new Error(String(reason));
  });
}
