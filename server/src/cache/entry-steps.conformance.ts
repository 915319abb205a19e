import { type CorruptEntry, decodeEntry, encodeEntry, type Entry } from '@lockstep/shared';
import { describe, expect, it } from 'vitest';
import type { EntryStoreFixture } from './entry-store.conformance.ts';
import type { EntryStore, Intent } from './port.ts';

/**
 * What each step of the cache does to each kind of entry: the specification of the Lua scripts.
 *
 * The compiler checks that the table is complete: a new state of entries, or a new method of `EntryStore`, needs its
 * cells. The test checks every cell on each store.
 */
type State = 'absent' | Entry['state'] | CorruptEntry['state'];

/** Methods that change nothing, or that repeat another step for several keys. */
type Lookup =
  | 'read'
  | 'readMany'
  | 'intentAgeMs'
  | 'ttlMs'
  | 'available'
  | 'availableSinceMs'
  | 'invalidateMany';

/**
 * The entries that a step can meet, by state. Every step works at version 5, under the fill lease and the intent `own`.
 * Fences are 10, and 20 in another holder's intent.
 */
const MET = {
  absent: ['absent'],
  value: ['value 4', 'value 5'],
  lease: ['own lease 3', 'other lease 3'],
  intent: ['own intent 4', 'own marked intent 4', 'other intent 4'],
  tombstone: ['tombstone 4', 'tombstone 6'],
  corrupt: ['corrupt'],
} as const satisfies Record<State, readonly string[]>;
type Met = (typeof MET)[State][number];

/** The ways in which a step is called. */
const CALLS = {
  leaseOrRead: ['leaseOrRead'],
  fill: ['fill'],
  placeIntent: ['placeIntent'],
  publish: ['publish a value', 'publish a tombstone'],
  withdrawIntent: ['withdrawIntent'],
  invalidate: ['invalidate version 5', 'invalidate every version'],
  invalidateIfUnchanged: ['invalidateIfUnchanged'],
} as const satisfies Record<Exclude<keyof EntryStore, Lookup>, readonly string[]>;
type Call = (typeof CALLS)[keyof typeof CALLS][number];

type Left = 'same' | `${Exclude<State, 'absent' | 'corrupt'> | 'marked intent'} ${number}`;
/** The answer, and the entry that the step leaves: its state and version. */
type Cell = `${string} -> ${Left}`;

const STEPS: Record<Call, Record<Met, Cell>> = {
  leaseOrRead: {
    absent: 'leased -> lease 0',
    'value 4': 'found -> same',
    'value 5': 'found -> same',
    'own lease 3': 'busy -> same',
    'other lease 3': 'busy -> same',
    'own intent 4': 'found -> same',
    'own marked intent 4': 'found -> same',
    'other intent 4': 'found -> same',
    'tombstone 4': 'leased -> lease 4',
    'tombstone 6': 'leased -> lease 6',
    corrupt: 'leased -> lease 0',
  },
  fill: {
    absent: 'refused -> same',
    'value 4': 'refused -> same',
    'value 5': 'refused -> same',
    'own lease 3': 'filled -> value 5',
    'other lease 3': 'refused -> same',
    'own intent 4': 'refused -> same',
    'own marked intent 4': 'refused -> same',
    'other intent 4': 'refused -> same',
    'tombstone 4': 'refused -> same',
    'tombstone 6': 'refused -> same',
    corrupt: 'refused -> same',
  },
  placeIntent: {
    absent: 'placed -> intent 0',
    'value 4': 'placed -> intent 4',
    'value 5': 'placed -> intent 5',
    'own lease 3': 'placed -> intent 3',
    'other lease 3': 'placed -> intent 3',
    'own intent 4': 'placed -> intent 4',
    'own marked intent 4': 'placed -> intent 4',
    'other intent 4': 'placed -> intent 4',
    'tombstone 4': 'placed -> intent 4',
    'tombstone 6': 'placed -> intent 6',
    corrupt: 'placed -> intent 0',
  },
  'publish a value': {
    absent: 'invalidated -> tombstone 5',
    'value 4': 'invalidated -> tombstone 5',
    'value 5': 'fresh -> same',
    'own lease 3': 'invalidated -> tombstone 5',
    'other lease 3': 'invalidated -> tombstone 5',
    'own intent 4': 'fresh -> value 5',
    'own marked intent 4': 'invalidated -> tombstone 5',
    'other intent 4': 'invalidated -> same',
    'tombstone 4': 'invalidated -> tombstone 5',
    'tombstone 6': 'invalidated -> same',
    corrupt: 'invalidated -> tombstone 5',
  },
  'publish a tombstone': {
    absent: 'invalidated -> tombstone 5',
    'value 4': 'invalidated -> tombstone 5',
    'value 5': 'fresh -> same',
    'own lease 3': 'invalidated -> tombstone 5',
    'other lease 3': 'invalidated -> tombstone 5',
    'own intent 4': 'invalidated -> tombstone 5',
    'own marked intent 4': 'invalidated -> tombstone 5',
    'other intent 4': 'invalidated -> same',
    'tombstone 4': 'invalidated -> tombstone 5',
    'tombstone 6': 'invalidated -> same',
    corrupt: 'invalidated -> tombstone 5',
  },
  withdrawIntent: {
    absent: 'done -> same',
    'value 4': 'done -> same',
    'value 5': 'done -> same',
    'own lease 3': 'done -> same',
    'other lease 3': 'done -> same',
    'own intent 4': 'done -> tombstone 5',
    'own marked intent 4': 'done -> tombstone 5',
    'other intent 4': 'done -> same',
    'tombstone 4': 'done -> same',
    'tombstone 6': 'done -> same',
    corrupt: 'done -> same',
  },
  'invalidate version 5': {
    absent: 'invalidated -> tombstone 5',
    'value 4': 'invalidated -> tombstone 5',
    'value 5': 'fresh -> same',
    'own lease 3': 'invalidated -> tombstone 5',
    'other lease 3': 'invalidated -> tombstone 5',
    'own intent 4': 'invalidated -> marked intent 5',
    'own marked intent 4': 'invalidated -> marked intent 5',
    'other intent 4': 'invalidated -> marked intent 5',
    'tombstone 4': 'invalidated -> tombstone 5',
    'tombstone 6': 'invalidated -> tombstone 6',
    corrupt: 'invalidated -> tombstone 5',
  },
  'invalidate every version': {
    absent: 'invalidated -> tombstone 0',
    'value 4': 'invalidated -> tombstone 4',
    'value 5': 'invalidated -> tombstone 5',
    'own lease 3': 'invalidated -> tombstone 3',
    'other lease 3': 'invalidated -> tombstone 3',
    'own intent 4': 'invalidated -> marked intent 4',
    'own marked intent 4': 'invalidated -> same',
    'other intent 4': 'invalidated -> marked intent 4',
    'tombstone 4': 'invalidated -> tombstone 4',
    'tombstone 6': 'invalidated -> tombstone 6',
    corrupt: 'invalidated -> tombstone 0',
  },
  invalidateIfUnchanged: {
    absent: 'false -> same',
    'value 4': 'true -> tombstone 4',
    'value 5': 'true -> tombstone 5',
    'own lease 3': 'true -> tombstone 3',
    'other lease 3': 'true -> tombstone 3',
    'own intent 4': 'false -> same',
    'own marked intent 4': 'false -> same',
    'other intent 4': 'false -> same',
    'tombstone 4': 'true -> tombstone 4',
    'tombstone 6': 'true -> tombstone 6',
    corrupt: 'true -> tombstone 0',
  },
};

const OWN: Intent = { intentId: 'own', fence: 10 };
const VALUE = { version: 5, row: { id: 1 }, ttlMs: 60_000 };

const CALL: Record<Call, (store: EntryStore, cacheKey: string, text: string) => Promise<unknown>> =
  {
    leaseOrRead: async (store, cacheKey) => (await store.leaseOrRead(cacheKey, 'own')).state,
    fill: (store, cacheKey) => store.fill(cacheKey, 'own', VALUE),
    placeIntent: async (store, cacheKey) => {
      const { intentId, fence } = await store.placeIntent(cacheKey, 'new', 0);
      return intentId === 'new' && fence > 10 ? 'placed' : `${intentId} ${fence}`;
    },
    'publish a value': (store, cacheKey) => store.publish(cacheKey, OWN, 5, VALUE),
    'publish a tombstone': (store, cacheKey) => store.publish(cacheKey, OWN, 5, null),
    withdrawIntent: async (store, cacheKey) => {
      await store.withdrawIntent(cacheKey, OWN, 5);
      return 'done';
    },
    'invalidate version 5': (store, cacheKey) => store.invalidate(cacheKey, 5),
    'invalidate every version': (store, cacheKey) => store.invalidate(cacheKey, null),
    invalidateIfUnchanged: (store, cacheKey, text) => store.invalidateIfUnchanged(cacheKey, text),
  };

/** The text of an entry to be met; null for none. */
function textOf(met: Met): string | null {
  const header = (version: number, fence = 10) => ({ version, fence, writtenAtMs: 1 });
  const lease = (leaseId: string): string => encodeEntry({ state: 'lease', ...header(3), leaseId });
  const intent = (intentId: string, fence: number, marked = false): string =>
    encodeEntry({ state: 'intent', ...header(4, fence), intentId, marked });
  switch (met) {
    case 'absent':
      return null;
    case 'corrupt':
      return 'not an entry';
    case 'value 4':
      return encodeEntry({ state: 'value', ...header(4), row: { id: 1 } });
    case 'value 5':
      return encodeEntry({ state: 'value', ...header(5), row: { id: 1 } });
    case 'own lease 3':
      return lease('own');
    case 'other lease 3':
      return lease('other');
    case 'own intent 4':
      return intent('own', 10);
    case 'own marked intent 4':
      return intent('own', 10, true);
    case 'other intent 4':
      return intent('other', 20);
    case 'tombstone 4':
      return encodeEntry({ state: 'tombstone', ...header(4) });
    case 'tombstone 6':
      return encodeEntry({ state: 'tombstone', ...header(6) });
  }
}

function leftBy(before: string | null, after: string | null): string {
  if (after === before) return 'same';
  if (after === null) return 'absent';
  const entry = decodeEntry(after);
  if (entry.state === 'corrupt') return entry.reason;
  const isMarked = entry.state === 'intent' && entry.marked;
  return `${isMarked ? 'marked ' : ''}${entry.state} ${entry.version}`;
}

export function describeEntrySteps(name: string, fixture: () => EntryStoreFixture): void {
  describe(`${name} does in each state what the table says`, () => {
    const steps = Object.values(CALLS).flat();
    it.each(steps)('E1, E2, E3, E5, E6, E7, E8: %s', async (call) => {
      const behind = fixture();
      const seen: Partial<Record<Met, string>> = {};
      for (const [index, met] of Object.values(MET).flat().entries()) {
        const cacheKey = `account:${call.replaceAll(' ', '-')}:${index}`;
        const before = textOf(met);
        if (before !== null) await behind.put(cacheKey, before);
        const answer = await CALL[call](behind.store, cacheKey, before ?? '');
        seen[met] = `${String(answer)} -> ${leftBy(before, await behind.text(cacheKey))}`;
      }
      expect(seen).toEqual(STEPS[call]);
    });
  });
}
