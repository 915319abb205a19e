/** For each control the weather and load in which its broken protection is needed most. */
import { type Control, CONTROLS } from '@lockstep/testkit/controls';
import type { Scenario } from './scenarios.ts';

/** No live scenario has caught them so far; the simulation does (and, of the last one, `client/test/local-control.integration.test.ts`). */
const ONLY_SIMULATED = [
  'combine-acks-before-publish',
  'combine-resends-unknown',
  'rollback-clears-without-fence',
  'transaction-without-guard',
  'local-without-gap-check',
] as const;

export type LiveControl = Exclude<Control, (typeof ONLY_SIMULATED)[number]>;
const isLive = (control: Control): control is LiveControl =>
  !ONLY_SIMULATED.some((each) => each === control);
export const LIVE_CONTROLS = CONTROLS.filter(isLive);

/**
 * Locks go at once, and one coordinator is slow on its way to both servers: later holders overtake its statements, and
 * its publish comes long after its commit.
 */
const OVERTAKEN: Scenario['weather'] = {
  throughout: ['lock-expire'],
  kinds: ['link-slow'],
  servers: ['database', 'cache'],
  coordinators: [0],
  directions: ['up'],
  gapMs: [50, 200],
  atOnce: 2,
  badness: 1,
};

const slow = (
  server: 'cache' | 'database' | 'lock 1',
  ...directions: ('up' | 'down' | 'both')[]
): Scenario['weather'] => ({
  kinds: ['link-slow'],
  servers: [server],
  directions,
  gapMs: [50, 300],
  atOnce: 1,
});

/** Many see the database and the cache one after the other, on few keys. */
const COMPARING: Pick<Scenario, 'mix' | 'hotShare' | 'hotKeys'> = {
  mix: { compare: 36, readPrimary: 4, cacheRead: 10, read: 24 },
  hotShare: 0.98,
  hotKeys: 4,
};

export const CONTROL_SUITS: Readonly<Record<LiveControl, Scenario>> = {
  'no-fence': {
    title: 'a superseded holder commits',
    weather: OVERTAKEN,
    ...COMPARING,
    resources: ['account'],
  },
  'no-intent': {
    title: 'nothing hides the old value while a write is in flight',
    weather: slow('cache', 'up', 'both'),
    ...COMPARING,
  },
  'expiring-intent': {
    title: 'the intent goes before its write ends',
    weather: slow('database', 'both'),
    ...COMPARING,
  },
  'blind-fill': {
    title: 'a slow reader fills over what came after it',
    weather: slow('database', 'down'),
    ...COMPARING,
  },
  'blind-publish': {
    title: 'a slow writer publishes over a newer value',
    weather: slow('cache', 'up'),
    ...COMPARING,
  },
  'ack-before-publish': {
    title: 'acknowledged before the cache step',
    weather: slow('lock 1', 'both'),
    ...COMPARING,
  },
  'outbox-outside-transaction': {
    title: 'a break between commit and outbox row',
    weather: {
      throughout: ['link-slow'],
      kinds: ['link-reset'],
      servers: ['database'],
      coordinators: [0],
      directions: ['up'],
      // Long enough for connections to come back over the slow link.
      gapMs: [600, 1_100],
      atOnce: 2,
    },
    mix: { fillAndWrite: 90, cacheRead: 5, readPrimary: 2 },
    hotShare: 0.2,
  },
  'release-without-owner': {
    title: 'a late release takes another one’s lock away',
    weather: { kinds: ['lock-expire'], gapMs: [200, 600], atOnce: 1 },
    hotShare: 0.98,
    hotKeys: 2,
    watchLocks: true,
  },
  'join-older-flight': {
    title: 'a read joins one that began before it',
    weather: slow('database', 'down', 'both'),
    mix: { read: 60 },
    hotShare: 0.98,
    hotKeys: 2,
  },
  'direct-read-ignores-intent': {
    title: 'a service reads the value beside an intent',
    weather: slow('cache', 'up', 'both'),
    mix: { clientCompare: 60, clientRead: 30 },
    hotShare: 0.98,
    hotKeys: 4,
    resources: ['account'],
  },
  'blind-computed-fill': {
    title: 'a slow loader fills over an invalidation',
    weather: slow('lock 1', 'both'),
    mix: { computed: 60, clientWrites: 4 },
    hotShare: 0.98,
    hotKeys: 10,
  },
  'clear-without-fence': {
    title: 'a refused write opens the cache to an older one',
    weather: OVERTAKEN,
    ...COMPARING,
    resources: ['account'],
    mix: {
      compare: 30,
      read: 50,
      cacheRead: 4,
      readPrimary: 2,
      // Few writes: another one's intent would hide what the late one leaves, another's commit would fence it out.
      refused: 5,
      put: 2,
      increment: 2,
      compareAndSet: 0,
      delete: 0,
      fillAndWrite: 0,
    },
  },
};
