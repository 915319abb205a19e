import type { OutboxStore } from '../../../server/src/outbox/port.ts';
import type { Holder, MemoryOutbox } from './memory-outbox.ts';
import { answered } from './row-store.ts';
import type { SendToDatabase } from './send-to-database.ts';

/**
 * The engine's port of the outbox.
 * @param onTaken called with each relay's transaction, which the database rolls back when its process dies
 */
export function outboxStoreOn(
  outbox: MemoryOutbox,
  send: SendToDatabase,
  onTaken: (holder: Holder) => void = () => {},
): OutboxStore {
  const ask = <T>(sent: 'read' | 'write', name: string, step: () => T): Promise<T> =>
    answered(sent, send({ name, about: 'outbox', repeatable: false }, step));
  return {
    append: (items) => ask('write', 'append', () => outbox.append(items)),
    remove: (ids) =>
      answered(
        'write',
        send({ name: 'remove', about: 'outbox', repeatable: true }, () => outbox.remove(ids)),
      ),
    take: async (limit, graceMs, deliver) => {
      let holder: Holder | null = null;
      let isGivenUp = false;
      try {
        const taken = await ask('read', 'take', () => {
          // If the connection is gone, the statement locks no rows.
          holder = isGivenUp ? { rows: [] } : outbox.take(limit, graceMs);
          onTaken(holder);
          return holder;
        });
        if (taken.rows.length === 0) return 0;
        const decisions = await deliver(taken.rows);
        await ask('write', 'settle', () => outbox.settle(taken, decisions));
        return taken.rows.length;
      } catch (error) {
        // The connection is given up, and its transaction's locks with it.
        isGivenUp = true;
        if (holder !== null) outbox.release(holder);
        throw error;
      }
    },
    leftOf: (row, limit) => ask('read', 'left-of', () => outbox.leftOf(row, limit)),
    depth: () => ask('read', 'depth', () => outbox.depth()),
    deadLetters: (limit) => ask('read', 'dead-letters', () => outbox.deadLetters(limit)),
    retryDeadLetter: (id) => ask('write', 'retry', () => outbox.retryDeadLetter(id)),
    discardDeadLetter: (id) => ask('write', 'discard', () => outbox.discardDeadLetter(id)),
  };
}
