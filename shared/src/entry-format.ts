/**
 * What the entries of a resource look like.
 * `entry`: a header and the value, with leases, intents and tombstones (`entry.ts`).
 * `raw`: only the value as plain JSON, for programs that know nothing of Lockstep (`raw-entry.ts`).
 * `opaque`: whatever the service itself puts there. Lockstep deletes it when the row changes, and never reads or writes it.
 */
export const ENTRY_FORMATS = ['entry', 'raw', 'opaque'] as const;
export type EntryFormat = (typeof ENTRY_FORMATS)[number];

/**
 * How far Lockstep has taken the entries of a resource over from the service that wrote them before.
 * `shadow`: it watches what would have been stale, and changes nothing in the cache.
 * `invalidate`: it deletes entries when their rows change; the service still reads and fills them.
 * `own`: it reads and writes them, in the format that is configured.
 */
export const ROLLOUT_STAGES = ['shadow', 'invalidate', 'own'] as const;
export type RolloutStage = (typeof ROLLOUT_STAGES)[number];
