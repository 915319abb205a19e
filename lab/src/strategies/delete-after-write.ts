/**
 * Leases and tombstones: the row and an outbox row in one transaction, then a tombstone, which removes every lease. If
 * a crash or an unreachable cache prevents the tombstone, the relay repeats it from the outbox.
 */
import {
  acknowledge,
  acknowledged,
  background,
  caller,
  CRASH,
  done,
  type Draft,
  go,
  mayCrash,
  writerNames,
} from '../model/process.ts';
import { leasedReaders } from '../model/readers.ts';
import { DELETE_FAILS, forgetfulCache, FORGETS } from '../model/servers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { commit, entry, type Value, versionOf, type World } from '../model/world.ts';

export const deleteAfterWrite: Strategy = withParts({ outbox: true, leases: true });

/** The strategy without some of its parts, under another name, to show what each part is for. */
export function withParts(
  { outbox, leases }: { outbox: boolean; leases: boolean },
  about: Partial<Strategy> = {},
): Strategy {
  return {
    name: 'delete-after-write',
    title: 'leases and tombstones (delete-after-write here)',
    description:
      'Row and outbox row in one transaction, then a tombstone; readers fill under leases.',
    bounds: { ...USUAL_BOUNDS, readers: 3 },
    cache: 'either',
    faults: [DELETE_FAILS, CRASH, FORGETS],
    processes: (bounds) => [
      ...writerNames(bounds.writers).map((name) => mayCrash(writer(name, outbox))),
      relay,
      ...leasedReaders(bounds.readers, { fillsBlindly: !leases }),
      forgetfulCache(),
    ],
    weaknesses: [
      { words: 'a short window before the delete', property: 'staleForAWhile', faults: [] },
      {
        words: 'a longer one where the delete fails, until the relay does it',
        property: 'staleForAWhile',
        faults: [DELETE_FAILS],
      },
    ],
    ...about,
  };
}

const writer = (name: Value, outbox: boolean) =>
  caller(`Writer ${name}`, {
    commit: {
      to: 'Database',
      does: outbox ? `UPDATE to ${name}, outbox row` : `UPDATE to ${name}`,
      run: (world) => {
        commit(world, name);
        if (outbox) world.outbox += name;
        return go('tombstone');
      },
    },
    tombstone: {
      to: 'Cache',
      does: 'tombstone',
      run: (world) => {
        leaveTombstone(world, name);
        acknowledge(world, name);
        return go('finish', 'acknowledged');
      },
      or: {
        fault: DELETE_FAILS,
        run: (world) => acknowledged(world, name, 'no answer; acknowledged as pending'),
      },
    },
    finish: {
      to: 'Database',
      does: 'DELETE the outbox row',
      run: (world) => {
        finish(world, name);
        return done();
      },
    },
  });

const relay = background('Relay', {
  tombstone: {
    to: 'Cache',
    does: 'tombstone, for an outbox row',
    when: ({ outbox }) => outbox !== '',
    run: (world, me) => {
      me.value = world.outbox.slice(0, 1);
      leaveTombstone(world, me.value);
      return go('finish');
    },
  },
  finish: {
    to: 'Database',
    does: 'DELETE the outbox row',
    run: (world, me) => {
      finish(world, me.value);
      return go('tombstone');
    },
  },
});

/** Leaves a tombstone, unless there is a value of this version or a newer one. */
function leaveTombstone(world: World, writer: Value): void {
  const version = versionOf(world.database, writer) ?? 0;
  const { cache } = world;
  if (cache.state === 'value' && cache.version >= version) return;
  world.cache = entry('tombstone', { version: Math.max(version, cache.version) });
}

function finish(world: Draft, writer: Value): void {
  world.outbox = world.outbox.replace(writer, '');
}
