import type { GuardStore } from '../../../server/src/guards/port.ts';
import type { MemoryGuards } from './memory-guards.ts';
import { answered } from './row-store.ts';
import type { SendToDatabase } from './send-to-database.ts';

/** The engine's port of the guards: each statement is sent. */
export function guardStoreOn(guards: MemoryGuards, send: SendToDatabase): GuardStore {
  const ask = <T>(sent: 'read' | 'write', name: string, about: string, step: () => T): Promise<T> =>
    answered(sent, send({ name, about, repeatable: true }, step));
  return {
    database: 'pg',
    add: (keys) =>
      ask('write', 'add-guard', keys.map(({ key }) => key.cacheKey).join(' '), () =>
        guards.add(keys),
      ),
    calls: (guard) => ask('read', 'guard-calls', guard, () => guards.calls(guard)),
    remove: (keys) =>
      ask('write', 'remove-guard', keys.map(({ key }) => key.cacheKey).join(' '), () =>
        guards.remove(keys),
      ),
    prune: () => Promise.resolve(0),
  };
}
