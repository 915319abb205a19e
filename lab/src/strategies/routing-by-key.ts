/**
 * Every request for a key goes to one worker, its home, which serves them one after the other, so no lock is needed.
 * When the membership changes, the old home may still be working while the new one begins.
 */
import {
  acknowledged,
  answered,
  called,
  caller,
  chance,
  go,
  type Memory,
  readers,
  type Step,
  writerNames,
} from '../model/process.ts';
import { select } from '../model/readers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { type Homes, plainValue, type Value, type World, writeBack } from '../model/world.ts';

const MOVES = 'the membership changes';

export const routingByKey: Strategy = {
  name: 'routing-by-key',
  title: 'one worker a key (routing by key)',
  description:
    "The key's home reads the row, updates it and sets the cache, one request at a time.",
  bounds: USUAL_BOUNDS,
  cache: 'either',
  faults: [MOVES],
  processes: (bounds) => [
    ...writerNames(bounds.writers).map(writer),
    ...readers(bounds.readers, readerSteps),
    membership,
  ],
  weaknesses: [
    { words: 'two homes during a membership change', property: 'lostWrite', faults: [MOVES] },
    { words: 'also an old value for good', property: 'staleForGood', faults: [MOVES] },
  ],
};

const homeOf = ({ home }: Memory): string => `Home ${home}`;
const isFree = ({ homes }: World): boolean =>
  (homes.named === 1 ? homes.first : homes.second) === '';
const put = (homes: Homes, home: Memory['home'], who: string): Homes =>
  home === 1 ? { ...homes, first: who } : { ...homes, second: who };

/** The home that the router names takes the request when it is idle. */
const route = (who: string, then: string): Step => ({
  to: 'Router',
  does: 'request',
  when: isFree,
  run: (world, me) => {
    me.home = world.homes.named;
    world.homes = put(world.homes, me.home, who);
    return go(then, `home ${me.home}`);
  },
});

const writer = (name: Value) =>
  caller(`Writer ${name}`, {
    route: route(name, 'read'),
    read: { ...select('update'), by: homeOf },
    update: {
      to: 'Database',
      does: `UPDATE to ${name}`,
      by: homeOf,
      run: (world, me) => {
        writeBack(world, name, me.value);
        return go('set', `made from ${me.value}`);
      },
    },
    set: {
      to: 'Cache',
      does: `SET ${name}`,
      by: homeOf,
      run: (world, me) => {
        world.cache = plainValue(name);
        world.homes = put(world.homes, me.home, '');
        return acknowledged(world, name);
      },
    },
  });

const readerSteps: Record<string, Step> = {
  get: {
    to: 'Cache',
    does: 'GET',
    run: (world, me) => {
      called(world, me);
      if (world.cache.state === 'value') return answered(world, me, world.cache.value);
      return go('route', 'miss');
    },
  },
  route: route('a reader', 'read'),
  read: { ...select('set'), by: homeOf },
  set: {
    to: 'Cache',
    does: 'SET what it read',
    by: homeOf,
    run: (world, me) => {
      world.cache = plainValue(me.value);
      world.homes = put(world.homes, me.home, '');
      return answered(world, me, me.value);
    },
  },
};

const membership = chance('Router', {
  move: {
    to: 'Router',
    does: 'names Home 2',
    fault: MOVES,
    when: ({ homes }) => homes.named === 1,
    run: (world) => {
      world.homes = { ...world.homes, named: 2 };
      return go('move');
    },
  },
});
