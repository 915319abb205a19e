/** The transaction of a strict write, in one step or in the steps of `verifyIntent`. */
import { CRASH, go, type Step } from '../model/process.ts';
import { REFUSED } from '../model/servers.ts';
import { commit, type Value } from '../model/world.ts';
import {
  release,
  fenced,
  isFenced,
  isOwnIntent,
  isRowFree,
  MAX_MINTS,
  type Protections,
  withFence,
} from './strict-steps.ts';

/** Step 3: refused if a higher fence is stored; else stores the fence, the version and the row in one transaction. */
export function transaction(name: Value, protections: Protections): Step {
  return {
    to: 'Database',
    does: protections.databaseFence ? `UPDATE to ${name}, fenced` : `UPDATE to ${name}`,
    run: (world, me) => {
      if (isFenced(world, me, protections)) return fenced(world, me, name);
      commit(world, name);
      world.database = withFence(world.database, me.fence);
      me.version = world.database.commits.length;
      return go('publish', `version ${me.version}`);
    },
    or: {
      fault: REFUSED,
      run: (world, me) => {
        if (isFenced(world, me, protections)) return fenced(world, me, name);
        me.version = world.database.commits.length;
        return go(protections.fenceOnRefusal ? 'raise-fence' : 'withdraw', 'refused');
      },
    },
  };
}

/** The same, but with the row locked, it checks for the intent once more. If the intent is gone, nothing is applied. */
export function verifiedTransaction(name: Value, protections: Protections): Record<string, Step> {
  const whole = transaction(name, protections);
  return {
    hold: {
      to: 'Database',
      does: 'BEGIN, hold the row',
      when: isRowFree,
      run: (world, me) => {
        if (isFenced(world, me, protections)) return fenced(world, me, name);
        world.database = { ...world.database, lockedBy: name };
        return go('look');
      },
    },
    look: {
      to: 'Cache',
      does: 'is the intent there?',
      run: (world, me) =>
        isOwnIntent(world, me, name, protections) ? go('end', 'yes') : go('roll-back', 'no'),
    },
    end: {
      ...whole,
      does: `${whole.does}, COMMIT`,
      run: (world, me) => {
        world.database = { ...world.database, lockedBy: '' };
        return whole.run(world, me);
      },
      or: {
        fault: CRASH,
        does: 'crashes: ROLLBACK',
        run: (world) => {
          world.database = { ...world.database, lockedBy: '' };
          return { at: 'crashed', note: '' };
        },
      },
    },
    'roll-back': {
      to: 'Database',
      does: 'ROLLBACK',
      run: (world, me) => {
        const { database } = world;
        world.database = { ...database, lockedBy: '' };
        return me.mints < MAX_MINTS ? go('mark') : release(world, name, 'gives up');
      },
    },
  };
}
