/** Readers that several strategies have in common. */
import { answered, called, go, type Process, readers, type Step } from './process.ts';
import { entry, plainValue, storedValue } from './world.ts';

/**
 * Cache-aside as it is usually written: look into the cache; on a miss read the database and put the result into the
 * cache, whatever has happened there meanwhile. `load` reads the database; default: the primary.
 */
export const cacheAsideReaders = (count: number, load: Step = select('fill')): Process[] =>
  readers(count, {
    get: {
      to: 'Cache',
      does: 'GET',
      run: (world, me) => {
        called(world, me);
        if (world.cache.state === 'value') return answered(world, me, world.cache.value);
        return go('load', 'miss');
      },
    },
    load,
    fill: {
      to: 'Cache',
      does: 'SET what it read',
      run: (world, me) => {
        world.cache = plainValue(me.value);
        return answered(world, me, me.value);
      },
    },
  });

/** Reads the primary, and goes on to the step `then` with the value. */
export const select = (then: string): Step => ({
  to: 'Database',
  does: 'SELECT',
  run: ({ database }, me) => {
    me.value = storedValue(database);
    return go(then, me.value);
  },
});

/** Reads the replica, which may not have applied every commit yet. */
export const fromReplica: Step = {
  to: 'Replica',
  does: 'SELECT',
  run: ({ database, replica }, me) => {
    me.value = storedValue(database, replica);
    return go('fill', me.value);
  },
};

/**
 * Readers with leases (R. Nishtala and others, "Scaling Memcache at Facebook", NSDI 2013): a miss leaves a numbered lease,
 * and the reader fills only if exactly that lease is still there; every write of the entry removes it. A lease keeps a
 * tombstone's version, which a fill must have reached. A reader that meets an intent or another's lease fills nothing.
 * Leases have no numbers here, because the machine takes the lease from a reader when it is gone.
 *
 * `fillsBlindly`: fills without any of this. `waitsForWriters`: a reader that may fill waits for transactions on the
 * row.
 */
export const leasedReaders = (
  count: number,
  { fillsBlindly = false, waitsForWriters = false } = {},
): Process[] =>
  readers(count, {
    get: {
      to: 'Cache',
      does: 'GET, or take a lease',
      run: (world, me) => {
        called(world, me);
        const { state, value, version, fence } = world.cache;
        if (state === 'value') return answered(world, me, value);
        if (state === 'intent') return go('read', 'an intent');
        if (fillsBlindly) return go('load', 'miss');
        if (state === 'lease') return go('read', "another's lease");
        me.hasLease = true;
        world.cache = entry('lease', { version, fence });
        return go('load', 'a lease');
      },
    },
    load: {
      to: 'Database',
      does: 'SELECT',
      when: ({ database }) => !waitsForWriters || database.lockedBy === '',
      run: ({ database }, me) => {
        me.value = storedValue(database);
        me.version = database.commits.length;
        // The primary has everything that was acknowledged, so its answer need not be compared.
        me.calledAt = 0;
        return go('fill', me.value);
      },
    },
    fill: {
      to: 'Cache',
      does: fillsBlindly ? 'SET what it read' : 'fill under its lease',
      run: (world, me) => {
        const { cache } = world;
        if (fillsBlindly || (me.hasLease && me.version >= cache.version)) {
          const { value, version } = me;
          world.cache = entry('value', { value, version, fence: cache.fence });
        }
        return answered(world, me, me.value);
      },
    },
    read: {
      to: 'Database',
      does: 'SELECT, to fill nothing',
      run: (world, me) => answered(world, me, storedValue(world.database)),
    },
  });
