import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import {
  drawCrash,
  drawFault,
  drawSilentCommit,
  drawLostMessages,
  drawSlowAnswers,
  drawUnheard,
  drawZombie,
  type FaultFrame,
} from './draw-faults.ts';
import type { ClientAction, Fault } from './plan.ts';

/** Services with the client. */
export const SERVICES = 2;

export type Weights = Record<ClientAction['do'], number>;

/** One kind of client. */
export interface Role {
  /** What such a client does, with weights. */
  actions: Weights;
  /** To which coordinators its operations go. `mostly-first`: more than an even share to the first one. */
  through: 'any' | 'mostly-first' | 'first' | 'others';
}

/** The emphasis of a run: what is rare in a general run must be frequent in some runs. */
export interface Theme {
  /** Sets of few keys, so that operations meet. */
  keySets: readonly (readonly string[])[];
  /** The roles of clients, given to them round robin. */
  roles: readonly Role[];
  /** Draws faults that belong together. */
  story: (random: SeededRandom, frame: FaultFrame) => Fault[];
  mostStories: number;
  /** How many clients there are, least and most. Default 3 to 6. */
  clients?: readonly [least: number, most: number];
}

const EVERYTHING: Weights = {
  read: 30,
  'read-at-least': 4,
  'read-many': 8,
  'cache-read': 14,
  put: 14,
  increment: 10,
  'compare-and-set': 7,
  delete: 4,
  refused: 8,
  'put-twice': 4,
  invalidate: 4,
  repair: 3,
  transact: 0,
  lease: 0,
  guard: 0,
  'client-read': 0,
  'client-write': 0,
  insert: 0,
  'read-inserted': 0,
  computed: 0,
};

const NOTHING: Weights = {
  read: 0,
  'read-at-least': 0,
  'read-many': 0,
  'cache-read': 0,
  put: 0,
  increment: 0,
  'compare-and-set': 0,
  delete: 0,
  refused: 0,
  'put-twice': 0,
  invalidate: 0,
  repair: 0,
  transact: 0,
  lease: 0,
  guard: 0,
  'client-read': 0,
  'client-write': 0,
  insert: 0,
  'read-inserted': 0,
  computed: 0,
};

const ALL_KEYS = [
  ['account:1'],
  ['account:1', 'note:1'],
  ['account:1', 'account:2'],
  ['order:1', 'note:1'],
  ['note:1'],
  ['account:1', 'order:1', 'note:1', 'note:2'],
] as const;

const mixed: Theme = {
  keySets: ALL_KEYS,
  roles: [{ actions: EVERYTHING, through: 'any' }],
  story: (random, frame) =>
    random.chance(0.3)
      ? random.pick([drawZombie, drawSilentCommit])(random, frame)
      : [drawFault(random, frame)],
  mostStories: 6,
};

const busyReaders: Theme = {
  ...mixed,
  roles: [{ actions: { ...EVERYTHING, read: 120 }, through: 'any' }],
};

const busyWriters: Theme = {
  ...mixed,
  roles: [{ actions: { ...EVERYTHING, put: 40, increment: 30 }, through: 'any' }],
};

/** Late writes of the first coordinator, while other writes of the same key are refused. */
const refusals: Theme = {
  keySets: [['account:1'], ['order:1']],
  roles: [
    { actions: { ...NOTHING, put: 6, read: 3 }, through: 'first' },
    { actions: { ...NOTHING, refused: 10, read: 4, 'cache-read': 2 }, through: 'others' },
    { actions: { ...NOTHING, refused: 10, read: 8 }, through: 'others' },
  ],
  story: (random, frame) => drawZombie(random, { ...frame, coordinators: 1 }),
  // More stories would prevent one another's late writes.
  mostStories: 2,
};

/** Many misses of a key in one process, while its database answers slowly. */
const sharedLoads: Theme = {
  keySets: [['account:1'], ['note:1'], ['order:1']],
  roles: [
    { actions: { ...EVERYTHING, read: 60, put: 20, invalidate: 10 }, through: 'mostly-first' },
  ],
  story: (random, frame) =>
    random.chance(0.8) ? drawSlowAnswers(random, frame) : [drawFault(random, frame)],
  mostStories: 6,
};

/** Commits whose answers are lost, on keys that are read often and rarely written. */
const lostCommits: Theme = {
  keySets: [
    ['note:1', 'note:2', 'note:3', 'note:4', 'note:5', 'note:6'],
    ['note:1', 'note:2'],
  ],
  roles: [
    { actions: { ...NOTHING, read: 10, 'cache-read': 2 }, through: 'any' },
    { actions: { ...NOTHING, put: 6, increment: 2, delete: 1, read: 2 }, through: 'any' },
    { actions: { ...NOTHING, read: 10, 'read-at-least': 1 }, through: 'any' },
  ],
  story: (random, frame) =>
    random.chance(0.7) ? drawSilentCommit(random, frame) : drawCrash(random, frame),
  mostStories: 4,
};

/** Many writers of one key at once, most of them in one process: they are combined. */
const crowds: Theme = {
  keySets: [['account:1'], ['order:1'], ['note:1'], ['account:1', 'note:1']],
  roles: [
    {
      actions: { ...EVERYTHING, put: 30, increment: 30, 'compare-and-set': 15, 'put-twice': 10 },
      through: 'mostly-first',
    },
    { actions: { ...EVERYTHING, put: 30, increment: 30, refused: 12 }, through: 'mostly-first' },
  ],
  story: (random, frame) =>
    random.chance(0.8)
      ? random.pick([drawZombie, drawZombie, drawSilentCommit])(random, frame)
      : [drawFault(random, frame)],
  mostStories: 4,
  clients: [8, 12],
};

/** Services with the client beside other callers: direct reads, batches, inserts and computed values. */
const services: Theme = {
  keySets: [
    ['account:1'],
    ['account:1', 'note:1'],
    ['note:1'],
    ['account:1', 'account:2', 'note:1', 'order:1'],
  ],
  roles: [
    { actions: { ...NOTHING, 'client-read': 12, 'client-write': 8, computed: 2 }, through: 'any' },
    {
      actions: { ...NOTHING, computed: 8, 'client-read': 4, put: 3, increment: 3, read: 2 },
      through: 'any',
    },
    {
      actions: {
        ...{ ...NOTHING, 'client-read': 6, 'cache-read': 2, put: 4, delete: 1, refused: 2 },
        ...{ 'put-twice': 2, insert: 3, 'read-inserted': 3 },
      },
      through: 'any',
    },
  ],
  story: mixed.story,
  mostStories: 5,
};

/** Loaders that are slow, while what they read is written. */
const loaders: Theme = {
  ...services,
  keySets: [['account:1', 'note:1'], ['note:1'], ['account:1']],
  roles: [
    { actions: { ...NOTHING, computed: 10 }, through: 'any' },
    { actions: { ...NOTHING, 'client-write': 6, put: 3, 'put-twice': 1 }, through: 'any' },
    { actions: { ...NOTHING, computed: 6, put: 2, invalidate: 1 }, through: 'any' },
  ],
  story: (random, frame) =>
    random.chance(0.6) ? drawSlowAnswers(random, frame, null) : [drawFault(random, frame)],
};

/** Callers with transactions of their own under guards, beside other writers and many readers. */
const guards: Theme = {
  keySets: [['account:1'], ['order:1'], ['account:1', 'account:2'], ['account:1', 'order:1']],
  roles: [
    { actions: { ...NOTHING, guard: 8, read: 4, 'cache-read': 2 }, through: 'any' },
    { actions: { ...NOTHING, read: 14, 'cache-read': 6, refused: 1 }, through: 'any' },
    { actions: { ...NOTHING, guard: 5, put: 3, increment: 2, read: 6 }, through: 'any' },
  ],
  story: (random, frame) =>
    random.chance(0.4)
      ? random.pick([drawZombie, drawSilentCommit, drawCrash])(random, frame)
      : [drawFault(random, frame)],
  mostStories: 4,
};

export const THEMES: readonly Theme[] = [
  mixed,
  mixed,
  mixed,
  busyReaders,
  busyWriters,
  refusals,
  sharedLoads,
  lostCommits,
  crowds,
  crowds,
  services,
  services,
  loaders,
  guards,
  guards,
];

const KEYS_TOGETHER = [
  ['account:1', 'account:2'],
  ['account:1', 'order:1'],
  ['account:1', 'order:1', 'note:1'],
  ['account:1', 'account:2', 'order:1', 'note:1'],
] as const;

/** Transactions among everything else, and leases. */
const together: Theme = {
  ...mixed,
  keySets: KEYS_TOGETHER,
  roles: [{ actions: { ...EVERYTHING, transact: 24, lease: 6 }, through: 'any' }],
};

/** Mostly transactions, and readers of both keys. */
const transfers: Theme = {
  keySets: [
    ['account:1', 'account:2'],
    ['account:1', 'order:1'],
  ],
  roles: [
    { actions: { ...NOTHING, transact: 8, read: 4, refused: 2 }, through: 'mostly-first' },
    { actions: { ...NOTHING, read: 10, 'cache-read': 4 }, through: 'any' },
    { actions: { ...NOTHING, transact: 5, put: 2, read: 4 }, through: 'any' },
  ],
  story: (random, frame) =>
    random.chance(0.6)
      ? random.pick([drawZombie, drawSilentCommit])(random, frame)
      : [drawFault(random, frame)],
  mostStories: 4,
};

/** Leases that are lost while they are held. */
const leases: Theme = {
  keySets: [['account:1'], ['account:1', 'note:1']],
  roles: [
    { actions: { ...NOTHING, lease: 6, read: 4 }, through: 'mostly-first' },
    { actions: { ...NOTHING, lease: 3, put: 4, read: 6, refused: 2 }, through: 'any' },
  ],
  story: (random, frame) => {
    // The lock is lost and nobody notices at once: the holder considers it proved until the next extension.
    if (random.chance(0.7))
      return [{ kind: 'expire-locks', atMs: random.whole(0, frame.withinMs) }];
    return random.chance(0.5) ? drawZombie(random, frame) : [drawFault(random, frame)];
  },
  mostStories: 12,
};

/** The themes of runs with transactions and leases. */
export const TOGETHER_THEMES: readonly Theme[] = [together, together, transfers, leases];

/** Services that keep values in their memory, beside writers that they hear of by invalidation streams. */
const inMemory: Theme = {
  keySets: [
    ['price:1', 'price:2', 'price:3', 'price:4'],
    ['price:1', 'price:2'],
    ['price:1', 'note:1', 'account:1'],
  ],
  roles: [
    { actions: { ...NOTHING, 'client-read': 20, 'client-write': 1 }, through: 'any' },
    {
      actions: { ...NOTHING, put: 6, increment: 2, delete: 1, invalidate: 1, repair: 1, read: 4 },
      through: 'any',
    },
    { actions: { ...NOTHING, 'client-read': 20 }, through: 'any' },
  ],
  story: (random, frame) =>
    random.chance(0.7) ? drawUnheard(random, frame, SERVICES) : [drawFault(random, frame)],
  mostStories: 8,
  clients: [5, 8],
};

/** The themes of runs in which clients keep values in memory. */
export const LOCAL_THEMES: readonly Theme[] = [
  inMemory,
  // Nothing but streams that lose messages.
  { ...inMemory, story: drawLostMessages },
];

/** Strict keys only: a failover may bring back what other policies have deleted, until it is swept. */
const strictOnly = (theme: Theme): Theme => ({
  ...theme,
  keySets: [['account:1'], ['account:1', 'account:2']],
});

/** The themes of runs in which the cache fails over. */
export const FAILOVER_THEMES: readonly Theme[] = [
  strictOnly(mixed),
  strictOnly(busyWriters),
  strictOnly(crowds),
  strictOnly(guards),
  { ...strictOnly(mixed), story: () => [], mostStories: 0 },
];
