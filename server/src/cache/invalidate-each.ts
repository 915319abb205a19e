import type { CoveringPosition } from './port.ts';

type Freshness = 'fresh' | 'invalidated';

interface Invalidation {
  cacheKey: string;
  version: number | null;
  position?: CoveringPosition;
}

/** Invalidates all at once, each for itself: its result, or its error. */
export async function invalidateEach(
  items: readonly Invalidation[],
  invalidate: (
    cacheKey: string,
    version: number | null,
    position: CoveringPosition,
  ) => Promise<Freshness>,
): Promise<(Freshness | Error)[]> {
  const results = await Promise.allSettled(
    items.map(({ cacheKey, version, position }) => invalidate(cacheKey, version, position)),
  );
  return results.map((result) => {
    if (result.status === 'fulfilled') return result.value;
    const reason: unknown = result.reason;
    return reason instanceof Error ? reason : new Error(String(reason));
  });
}
