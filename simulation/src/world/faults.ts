import type { Fault } from '../plan/plan.ts';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import type { World } from './world.ts';

/** Schedules the beginning and the end of the plan's faults. */
export function schedule(world: World, faults: readonly Fault[], seed: number): void {
  for (const fault of faults) {
    world.scheduler.at(fault.atMs, () => {
      const words = (): string => inWords(fault, world.coordinators);
      world.trace.note('fault', words);
      const end = begin(world, fault, seed);
      if (!('forMs' in fault)) return;
      world.scheduler.after(fault.forMs, () => {
        world.trace.note('fault ends', words);
        end();
      });
    });
  }
}

/** Ends all faults, and starts every coordinator. Clocks stay as they are. */
export function heal(world: World): void {
  world.trace.note('healing', () => 'everything works from here on');
  world.weather.clear();
  world.fates.calm();
  for (const name of ['cache', 'database', 'lock 1', 'lock 2', 'lock 3'] as const) {
    world.server(name).comeUp();
  }
  for (let index = 0; index < world.coordinators; index += 1) {
    world.process(index)?.resume();
    world.start(index);
  }
}

/** Begins a fault. Returns a function that ends it. */
function begin(world: World, fault: Fault, seed: number): () => void {
  switch (fault.kind) {
    case 'crash':
      world.kill(fault.coordinator);
      return () => world.start(fault.coordinator);
    case 'pause': {
      const process = world.process(fault.coordinator);
      process?.pause();
      return () => process?.resume();
    }
    case 'link':
      world.weather.begin(fault);
      return () => world.weather.end(fault);
    case 'down':
      world.server(fault.server).goDown();
      return () => world.server(fault.server).comeUp();
    case 'hang':
      world.server(fault.server).hang();
      return () => world.server(fault.server).comeUp();
    case 'fail-over':
      world.server('cache').goDown();
      world.cache.failOver(fault.share);
      return () => world.server('cache').comeUp();
    case 'forget':
      world.lockNodes[fault.node]?.forget();
      return nothing;
    case 'expire-locks':
      for (const node of world.lockNodes) node.forget();
      return nothing;
    case 'evict':
      for (const cacheKey of world.cache.keys()) {
        if (SeededRandom.of(seed, `evict ${cacheKey} ${fault.atMs}`).chance(fault.share))
          world.cache.evict(cacheKey);
      }
      return nothing;
    case 'trim-streams':
      world.streams?.trim();
      return nothing;
    case 'lose-streams':
      world.streams?.lose();
      return nothing;
    case 'lose-entries':
      for (const cacheKey of world.cache.keys()) {
        const luck = SeededRandom.of(seed, `lose ${cacheKey} ${fault.atMs}`);
        if (luck.chance(fault.share)) world.cache.lose(cacheKey);
      }
      return nothing;
    case 'jump':
      world.clock(fault.clock).jumpWall(fault.byMs);
      return nothing;
    case 'drift':
      world.clock(fault.clock).setRate(fault.rate);
      return nothing;
  }
}

const nothing = (): void => {};

/** One fault as a line for people. */
function inWords(fault: Fault, coordinators: number): string {
  const lasts = 'forMs' in fault ? ` for ${fault.forMs.toFixed(0)} ms` : '';
  switch (fault.kind) {
    case 'crash':
      return `coordinator ${fault.coordinator + 1} is killed and stays away${lasts}`;
    case 'pause':
      return `coordinator ${fault.coordinator + 1} stands still${lasts}`;
    case 'link': {
      const from = fault.from === null ? 'everybody' : callerAt(fault.from, coordinators);
      const delay = fault.delayMs > 0 ? ` by up to ${fault.delayMs.toFixed(0)} ms` : '';
      return `link from ${from} to ${fault.to ?? 'every server'}: ${fault.effect}${delay}${lasts}`;
    }
    case 'down':
      return `${fault.server} is down${lasts}`;
    case 'hang':
      return `${fault.server} hangs${lasts}`;
    case 'fail-over':
      return `the cache fails over, to a replica with ${(fault.share * 100).toFixed(0)} % of what it may lack${lasts}`;
    case 'forget':
      return `lock ${fault.node + 1} restarts empty`;
    case 'expire-locks':
      return 'every lock vanishes from the nodes';
    case 'evict':
      return `the cache evicts ${(fault.share * 100).toFixed(0)} % of what it may`;
    case 'trim-streams':
      return 'the invalidation streams lose all but their newest message';
    case 'lose-streams':
      return 'the invalidation streams are gone';
    case 'lose-entries':
      return `the cache loses ${(fault.share * 100).toFixed(0)} % of everything, intents too`;
    case 'jump':
      return `the wall clock of ${machine(fault.clock)} jumps by ${fault.byMs.toFixed(0)} ms`;
    case 'drift':
      return `the clock of ${machine(fault.clock)} runs at ${fault.rate.toFixed(3)} from here on`;
  }
}

const callerAt = (index: number, coordinators: number): string =>
  index < coordinators ? `coordinator ${index + 1}` : `service ${index - coordinators + 1}`;

const machine = (name: number | string): string =>
  typeof name === 'number' ? `coordinator ${name + 1}` : name;
