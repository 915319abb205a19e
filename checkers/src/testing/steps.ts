import type { JsonValue } from '@lockstep/shared';

/** Calls as tests write them down. */
export const write = (value: JsonValue) => ({ op: 'write', value }) as const;
export const read = { op: 'read' } as const;
export const cacheRead = { op: 'cache-read' } as const;
export const increment = { op: 'increment', by: 1 } as const;
export const remove = { op: 'delete' } as const;
