/** A strict write: lock, intent, fenced transaction, publish, acknowledge. */
import { acknowledge, caller, go, type Process } from '../model/process.ts';
import { entry, type Value } from '../model/world.ts';
import {
  release,
  isFenced,
  isLockFree,
  isOwnIntent,
  isRowFree,
  placeIntent,
  type Protections,
  publish,
  withFence,
} from './strict-steps.ts';
import { transaction, verifiedTransaction } from './strict-transaction.ts';

export const strictWriter = (name: Value, protections: Protections): Process =>
  caller(`Writer ${name}`, {
    acquire: {
      to: 'Lock',
      does: 'acquire',
      when: isLockFree,
      run: (world) => {
        world.lock = name;
        return go('mark');
      },
    },
    mark: {
      to: 'Cache',
      does: protections.intent ? 'put the intent' : 'mint a fence',
      run: (world, me) => {
        placeIntent(world, me, name, protections);
        return go(protections.verifiedIntent ? 'hold' : 'commit', `fence ${me.fence}`);
      },
    },
    commit: transaction(name, protections),
    ...verifiedTransaction(name, protections),
    publish: {
      to: 'Cache',
      does: 'publish',
      run: (world, me) => {
        publish(world, me, name, name, protections);
        acknowledge(world, name);
        return release(world, name, 'acknowledged');
      },
    },
    'raise-fence': {
      to: 'Database',
      does: 'store the fence',
      when: isRowFree,
      run: (world, me) => {
        if (isFenced(world, me, protections))
          return release(world, name, 'fenced; the intent stays');
        world.database = withFence(world.database, me.fence);
        me.version = world.database.commits.length;
        return go('withdraw');
      },
    },
    withdraw: {
      to: 'Cache',
      does: 'withdraw the intent',
      run: (world, me) => {
        if (isOwnIntent(world, me, name, protections)) {
          const version = Math.max(world.cache.version, me.version);
          world.cache = entry('tombstone', { version, fence: me.fence });
        }
        return release(world, name, 'not applied');
      },
    },
  });
