/** A distributed lock around the write and around a reader's fill, and no other protection. */
import {
  acknowledge,
  answered,
  called,
  caller,
  done,
  go,
  readers,
  type Step,
  writerNames,
} from '../model/process.ts';
import { select } from '../model/readers.ts';
import { expiringLock, LOCK_EXPIRES } from '../model/servers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { plainValue, type Value, type World, writeBack } from '../model/world.ts';

export const distributedLock: Strategy = {
  name: 'distributed-lock',
  title: 'a distributed lock alone',
  description:
    'Under the lock: read the row, update it, set the cache. The lock expires on its own.',
  bounds: USUAL_BOUNDS,
  cache: 'either',
  faults: [LOCK_EXPIRES],
  processes: (bounds) => [
    ...writerNames(bounds.writers).map(writer),
    ...readers(bounds.readers, readerSteps),
    expiringLock(),
  ],
  weaknesses: [
    { words: 'a paused holder', property: 'lostWrite', faults: [LOCK_EXPIRES] },
    { words: 'also an old value for good', property: 'staleForGood', faults: [LOCK_EXPIRES] },
  ],
};

const acquire = (then: string, tokenOf: (world: World) => string): Step => ({
  to: 'Lock',
  does: 'acquire',
  when: ({ lock }) => lock === '',
  run: (world, me) => {
    me.token = tokenOf(world);
    world.lock = me.token;
    return go(then);
  },
});

/** Releases only its own lock: a holder whose lock has expired sees by the token that another one has it. */
const release: Step = {
  to: 'Lock',
  does: 'release',
  run: (world, me) => {
    if (world.lock === me.token) world.lock = '';
    return done();
  },
};

const writer = (name: Value) =>
  caller(`Writer ${name}`, {
    acquire: acquire('read', () => name),
    read: select('update'),
    update: {
      to: 'Database',
      does: `UPDATE to ${name}`,
      run: (world, me) => {
        writeBack(world, name, me.value);
        return go('set', `made from ${me.value}`);
      },
    },
    set: {
      to: 'Cache',
      does: `SET ${name}`,
      run: (world) => {
        world.cache = plainValue(name);
        acknowledge(world, name);
        return go('release', 'acknowledged');
      },
    },
    release,
  });

const readerSteps: Record<string, Step> = {
  get: {
    to: 'Cache',
    does: 'GET',
    run: (world, me) => {
      called(world, me);
      if (world.cache.state === 'value') return answered(world, me, world.cache.value);
      return go('acquire', 'miss');
    },
  },
  acquire: acquire('read', (world) => `reader ${(world.tokens += 1)}`),
  read: select('fill'),
  fill: {
    to: 'Cache',
    does: 'SET what it read',
    run: (world, me) => {
      world.cache = plainValue(me.value);
      return { ...answered(world, me, me.value), at: 'release' };
    },
  },
  release,
};
