import type { Key, TelemetryEvent } from '../../domain/index.ts';

type Event<Type extends TelemetryEvent['type']> = Extract<TelemetryEvent, { type: Type }>;

export function write(key: Key, changes: Partial<Event<'write'>> = {}): Event<'write'> {
  return {
    type: 'write',
    key,
    op: 'put',
    outcome: 'applied',
    code: null,
    cache: 'fresh',
    version: 3,
    fence: 7,
    replayed: false,
    phases: { queueMs: 0.1, lockMs: 1, intentMs: 0.4, transactionMs: 2, publishMs: 0.5 },
    totalMs: 4,
    ...changes,
  };
}

export function read(key: Key, changes: Partial<Event<'read'>> = {}): Event<'read'> {
  return { type: 'read', key, source: 'cache', code: null, totalMs: 1, ...changes };
}
