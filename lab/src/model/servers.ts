/** Steps that servers take on their own. */
import { chance, background, go, type Process } from './process.ts';
import { type Entry, nothing } from './world.ts';

export const REFUSED = 'the database refuses';
export const DELETE_FAILS = 'a delete fails';
export const LOCK_EXPIRES = 'the lock expires';
export const FORGETS = 'the cache forgets';

/** The replica applies one commit after the other, each some time after it was made. */
export const replica = (): Process =>
  background('Replica', {
    apply: {
      to: 'Replica',
      does: 'applies the next commit',
      when: ({ database, replica: applied }) => applied < database.commits.length,
      run: (world) => {
        world.replica += 1;
        return go('apply');
      },
    },
  });

/** The change log's subscriber deletes the entry for each commit that it reads, in order. */
export const deletingSubscriber = (): Process =>
  background('Subscriber', {
    read: {
      to: 'Cache',
      does: 'DEL, for the next change',
      when: ({ database, logPosition }) => logPosition < database.commits.length,
      run: (world) => {
        world.logPosition += 1;
        world.cache = nothing();
        return go('read');
      },
    },
  });

/** The lock expires while its holder is paused or slow. */
export const expiringLock = (): Process =>
  chance('Lock', {
    expire: {
      to: 'Lock',
      does: 'expires',
      fault: LOCK_EXPIRES,
      when: ({ lock }) => lock !== '',
      run: (world) => {
        const holder = world.lock;
        world.lock = '';
        return go('expire', `held by ${holder}`);
      },
    },
  });

/** The entry expires, is evicted, or is lost in a failover. `may`: which entries this can happen to. */
export const forgetfulCache = (may: (entry: Entry) => boolean = () => true): Process =>
  chance('Cache', {
    forget: {
      to: 'Cache',
      does: 'forgets the entry',
      fault: FORGETS,
      when: ({ cache }) => cache.state !== 'nothing' && may(cache),
      run: (world) => {
        world.cache = nothing();
        return go('forget');
      },
    },
  });
