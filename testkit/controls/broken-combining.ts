import type { EnginePorts } from '../../server/src/coordinator/engine-ports.ts';
import type { RowStore, RowWrite } from '../../server/src/database/port.ts';
import type { Runtime } from '../../server/src/runtime/index.ts';
import { acknowledgeBeforePublish } from './broken-entries.ts';
import { over } from './over.ts';

/** Writes of one key that go through together are answered before their cache steps are done (W18 broken). */
export function answerCombinedEarly(
  { entries, rows }: Pick<EnginePorts, 'entries' | 'rows'>,
  runtime: Pick<Runtime, 'timers' | 'log'>,
): Pick<EnginePorts, 'entries' | 'rows'> {
  /** Of transactions with several writes: the fence of the last, which is that of their intent. */
  const fences = new Set<number>();
  /** By cache key, how many writes without a fence are in flight: the second one and all later ones share. */
  const inFlight = new Map<string, number>();
  /** `cacheKey@version` of those that shared. */
  const shared = new Set<string>();
  const early = acknowledgeBeforePublish(entries, runtime);
  const write = async (asked: RowWrite): ReturnType<RowStore['write']> => {
    const { cacheKey } = asked.key;
    const others = inFlight.get(cacheKey) ?? 0;
    inFlight.set(cacheKey, others + 1);
    try {
      const result = await rows.write(asked);
      if (others > 0 && result.status === 'applied') shared.add(`${cacheKey}@${result.version}`);
      return result;
    } finally {
      inFlight.set(cacheKey, (inFlight.get(cacheKey) ?? 1) - 1);
    }
  };
  return {
    rows: over(rows, {
      write,
      writeInOrder: (writes) => {
        fences.add(writes.at(-1)?.fence ?? 0);
        return rows.writeInOrder(writes);
      },
    }),
    entries: over(entries, {
      publish: (cacheKey, intent, version, value) =>
        (fences.has(intent.fence) ? early : entries).publish(cacheKey, intent, version, value),
      invalidateMany: (items) => {
        const isShared = items.some(({ cacheKey, version }) =>
          shared.has(`${cacheKey}@${version}`),
        );
        return (isShared ? early : entries).invalidateMany(items);
      },
    }),
  };
}

/** Writes that went through together and got no answer are sent once more, with higher fences (W17 broken). */
export function resendUnknown(rows: RowStore): RowStore {
  return over(rows, {
    writeInOrder: async (writes) => {
      const results = await rows.writeInOrder(writes);
      if (!results.every((result) => result instanceof Error)) return results;
      return rows.writeInOrder(
        writes.map((write) => ({ ...write, fence: (write.fence ?? 0) + writes.length })),
      );
    },
  });
}
