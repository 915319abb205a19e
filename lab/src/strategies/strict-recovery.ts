/**
 * A recovery is a strict write that changes nothing: it replaces an abandoned intent by its own and publishes the row.
 */
import { chance, go, type Process } from '../model/process.ts';
import { storedValue } from '../model/world.ts';
import {
  release,
  fenced,
  isFenced,
  isLockFree,
  isRowFree,
  placeIntent,
  type Protections,
  publish,
  withFence,
} from './strict-steps.ts';

export const recovery = (index: number, protections: Protections): Process => {
  const name = index === 0 ? 'Recovery' : `Recovery ${index + 1}`;
  return chance(name, {
    acquire: {
      to: 'Lock',
      does: 'acquire, having met an intent',
      when: (world) => isLockFree(world) && world.cache.state === 'intent',
      run: (world) => {
        world.lock = name;
        return go('mark');
      },
    },
    mark: {
      to: 'Cache',
      does: 'put its own intent',
      run: (world, me) => {
        placeIntent(world, me, name, protections);
        return go('raise', `fence ${me.fence}`);
      },
    },
    raise: {
      to: 'Database',
      does: 'raise the fence, SELECT',
      when: isRowFree,
      run: (world, me) => {
        if (isFenced(world, me, protections)) return fenced(world, me, name);
        world.database = withFence(world.database, me.fence);
        me.version = world.database.commits.length;
        me.value = storedValue(world.database);
        return go('publish', me.value);
      },
    },
    publish: {
      to: 'Cache',
      does: 'publish',
      run: (world, me) => {
        publish(world, me, name, me.value, protections);
        return release(world, name);
      },
    },
  });
};
