import type { RowStore, RowWrite, RowWriteResult } from '../../server/src/database/port.ts';
import type { OutboxStore } from '../../server/src/outbox/port.ts';
import { over } from './over.ts';

/** Names no outbox row: removing it changes nothing, and the relay finds the real one. */
const NO_SUCH_ROW = '0';

/** A write's transaction neither looks at its fence nor stores it, so a superseded holder commits (W7, X2 broken). */
export function writeWithoutFence(rows: RowStore): RowStore {
  return over(rows, {
    write: ({ fence: _fence, ...write }) => rows.write(write),
    writeInOrder: (writes) => rows.writeInOrder(writes.map(({ fence: _fence, ...write }) => write)),
    writeTogether: ({ writes, ...rest }) => {
      const unfenced = writes.map(({ fence: _fence, ...write }) => write);
      return rows.writeTogether({ ...rest, writes: unfenced });
    },
  });
}

/** Neither a refused write nor a recovery stores its fence before it removes the intent (W2 and X2 broken). */
export function clearWithoutFence(rows: RowStore): RowStore {
  return over(rows, {
    raiseFence: async (key, _fence, refused) => {
      if (refused !== undefined) {
        await rows.recordRefusal(key, refused.idempotency, refused.refusal);
      }
      return { status: 'raised', row: await rows.read(key) };
    },
  });
}

/** The outbox row is left in a second step after the commit: a crash between the two loses it (W5 broken). */
export function outboxOutsideTransaction(
  rows: RowStore,
  outbox: Pick<OutboxStore, 'append'>,
): RowStore {
  const write = async (asked: RowWrite): Promise<RowWriteResult> => {
    if (!asked.outbox) return rows.write(asked);
    const result = await rows.write({ ...asked, outbox: false });
    if (result.status !== 'applied') return result;
    const { resource, text } = asked.key;
    await outbox.append([{ resource: resource.name, keyText: text }]);
    return { ...result, outboxId: NO_SUCH_ROW };
  };
  return over(rows, {
    write,
    writeInOrder: (writes) => oneByOne(writes, write),
  });
}

/** Each in a transaction of its own; nothing more after an error. */
async function oneByOne(
  writes: readonly RowWrite[],
  write: (write: RowWrite) => Promise<RowWriteResult>,
): ReturnType<RowStore['writeInOrder']> {
  const results: (RowWriteResult | Error)[] = [];
  for (const each of writes) {
    const result = await write(each).catch((error: unknown) => {
      if (error instanceof Error) return error;
      throw error;
    });
    results.push(result);
    if (result instanceof Error) break;
  }
  return writes.map((_, index) => results[index] ?? null);
}
