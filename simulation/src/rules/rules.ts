/** The rules that must hold in every run, with their numbers in docs/SPEC.md if they have one there. */
export const RULES = {
  R2: 'a read from the primary is not older than the row was when the call began',
  R4: 'a read with a least version never answers an older one',
  R6: 'a strict read is never below what was acknowledged or read before its call',
  R7: 'what is answered under a version is the row that the write of this version left',
  W1: 'a strict write commits only while an intent stands',
  W4: 'what is answered of a write’s outcome is true',
  W5: 'an old entry is always known to the outbox, or to a write in flight',
  W6: 'repeats with one idempotency key are applied once and answered alike',
  W8: 'versions of a key only grow',
  W9: 'nothing older comes from the cache after an answer that says fresh or invalidated',
  W12: 'every call is answered within its bound',
  W15: 'an insert is applied under the key that it answers, and repeats of it answer the same',
  D12: 'a computed value is never older than what was acknowledged before its call',
  D13: 'a computed value past its TTL is answered only where a loader has failed since the call',
  D14: 'no answer from memory is older than what was promised as long ago as it may lag',
  E9: 'the entry of a strict resource never holds an older value than the row',
  L1: 'a lock is removed only by the process that holds it',
  L2: 'two processes never hold one lock while nodes keep it and clocks are true',
  T1: 'the writes of a transaction are applied all, at once, or none of them',
  T7: 'a write within a lease is applied only where no other holder came in between',
  X5: 'after healing nothing is left: outbox, intents, locks, and every entry is its row',
  versions: 'what clients saw passes the check of histories by versions',
  values: 'what clients saw passes the check of histories by values alone',
  defect: 'no error that nobody expects',
} as const;

export type RuleName = keyof typeof RULES;
