import { type Control, isLocalControl } from '@lockstep/testkit/controls';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { drawFailovers, drawLosses } from './draw-faults.ts';
import type { ClientAction, GuardedPlan, Hazards, Plan, PlannedOperation } from './plan.ts';
import {
  FAILOVER_THEMES,
  LOCAL_THEMES,
  type Role,
  SERVICES,
  type Theme,
  THEMES,
  TOGETHER_THEMES,
} from './themes.ts';

const LONGEST_THINK_MS = 45;
/** A lost intent of a guard is not noticed before its caller commits: `verifyIntent` does not cover guards. */
const isWithoutGuards = ({ roles }: Theme): boolean =>
  roles.every(({ actions }) => actions.guard === 0);

/** Clients work for longer than planned, because operations take time. */
const SLACK_MS = 150;

export interface PlanOptions {
  /** The cache may lose intents, which the protocol assumes not to happen. */
  forgetful?: boolean;
  /** With transactions and leases. */
  together?: boolean;
  /** The cache fails over to a replica that lacks its last changes. */
  failovers?: boolean;
  /** Clients keep values in memory. */
  local?: boolean;
}

/** In which plans a control is needed: those of the other controls are the usual ones. */
export const plansFor = (control: Control): PlanOptions => ({
  local: isLocalControl(control),
});

/** The plan of a seed. */
export function drawPlan(
  seed: number,
  { forgetful = false, together = false, failovers = false, local = false }: PlanOptions = {},
): Plan {
  const random = SeededRandom.of(seed, 'plan');
  const themes = themesOf({ together, failovers, local });
  const theme = random.pick(forgetful ? themes.filter(isWithoutGuards) : themes);
  const coordinators = random.pick([2, 3, 3]);
  const keys = random.pick(theme.keySets);
  let id = 0;
  const [leastClients, mostClients] = theme.clients ?? [3, 6];
  const clients = Array.from({ length: random.whole(leastClients, mostClients) }, (_, index) => {
    const role = theme.roles[index % theme.roles.length];
    if (role === undefined) throw new RangeError('a theme without roles');
    let atMs = 0;
    return Array.from({ length: random.whole(10, 22) }, () => {
      atMs += random.chance(0.4) ? random.next() : random.between(0, LONGEST_THINK_MS);
      id += 1;
      return drawOperation(random, { id, atMs: Math.round(atMs), role, keys, coordinators });
    });
  });
  const withinMs = Math.max(...clients.flat().map(({ atMs }) => atMs)) + SLACK_MS;
  const faults = Array.from({ length: random.whole(0, theme.mostStories) }, () =>
    theme.story(random, { coordinators, withinMs }),
  )
    .flat()
    .concat(
      forgetful ? drawLosses(SeededRandom.of(seed, 'losses'), { coordinators, withinMs }) : [],
    )
    .concat(
      failovers
        ? drawFailovers(SeededRandom.of(seed, 'failovers'), { coordinators, withinMs })
        : [],
    )
    .sort((one, other) => one.atMs - other.atMs);
  return {
    ...{ seed, coordinators, clients, faults },
    hazards: drawHazards(random),
    mishaps: [],
    clockRates: {
      coordinators: Array.from({ length: coordinators }, () => drawRate(random)),
      servers: {
        cache: drawRate(random),
        database: drawRate(random),
        'lock 1': drawRate(random),
        'lock 2': drawRate(random),
        'lock 3': drawRate(random),
      },
    },
    valueTtlMs: random.pick([60_000, 60_000, 400]),
    local: local ? { streamLength: random.pick([1, 3, 100]) } : null,
  };
}

function themesOf({ together, failovers, local }: PlanOptions): readonly Theme[] {
  if (failovers === true) return FAILOVER_THEMES;
  if (local === true) return LOCAL_THEMES;
  return together === true ? TOGETHER_THEMES : THEMES;
}

interface OperationFrame {
  id: number;
  atMs: number;
  role: Role;
  keys: readonly string[];
  coordinators: number;
}

function drawOperation(
  random: SeededRandom,
  { id, atMs, role, keys, coordinators }: OperationFrame,
): PlannedOperation {
  return {
    id,
    action: drawAction(random, role, keys),
    key: random.pick(keys),
    coordinator: drawCoordinator(random, role, coordinators),
    service: id % SERVICES,
    atMs,
  };
}

function drawCoordinator(random: SeededRandom, { through }: Role, coordinators: number): number {
  if (through === 'first' || (through === 'mostly-first' && random.chance(0.6))) return 0;
  return random.whole(through === 'others' ? 1 : 0, coordinators - 1);
}

function drawAction(
  random: SeededRandom,
  { actions }: Role,
  keys: readonly string[],
): ClientAction {
  const what = random.weighted(actions);
  switch (what) {
    case 'read':
      return { do: 'read', primary: random.chance(0.2) };
    case 'read-many': {
      const count = random.whole(Math.min(2, keys.length), keys.length);
      return { do: 'read-many', keys: drawSome(random, keys, count) };
    }
    case 'increment':
      return { do: 'increment', by: random.whole(1, 9) };
    case 'transact': {
      const count = random.whole(Math.min(2, keys.length), Math.min(3, keys.length));
      return { do: 'transact', keys: drawSome(random, keys, count), refused: random.chance(0.2) };
    }
    case 'lease': {
      const [ttlMs, thinkMs] = [random.whole(60, 500), random.whole(0, 120)];
      return { do: 'lease', ttlMs, writes: random.whole(1, 3), thinkMs };
    }
    case 'guard': {
      const count = random.whole(1, Math.min(2, keys.length));
      return { do: what, keys: drawSome(random, keys, count), ...drawGuarded(random) };
    }
    case 'client-read':
      return { do: what, keys: drawSome(random, keys, random.whole(1, keys.length)) };
    case 'client-write': {
      // Mostly of one key, so that several of its writes go together.
      const [first = ''] = drawSome(random, keys, 1);
      const others = Array.from({ length: random.whole(0, 4) }, () =>
        random.chance(0.7) ? first : random.pick(keys),
      );
      return { do: what, keys: [first, ...others] };
    }
    case 'insert':
      return { do: what, twice: random.chance(0.4) };
    case 'computed': {
      const isPlain = random.chance(0.5);
      return {
        do: what,
        staleIfErrorMs: isPlain ? 0 : random.pick([0, 200, 2_000]),
        refreshAheadMs: isPlain ? 0 : random.pick([0, 100, 1_000]),
      };
    }
    default:
      return { do: what };
  }
}

/** Every third caller or so takes longer than its guard lasts. */
function drawGuarded(random: SeededRandom): GuardedPlan {
  const ttlMs = random.whole(60, 400);
  const longMs = ttlMs + random.whole(0, 600);
  const pauseMs = (): number => (random.chance(0.2) ? longMs : random.whole(0, 40));
  return {
    ...{ ttlMs, thinkMs: pauseMs(), holdMs: pauseMs() },
    ends: random.weighted({ commit: 6, 'roll-back': 3, 'commit-and-die': 1, die: 1 }),
    tellsAnother: random.chance(0.2),
  };
}

/** Draws `count` of them, in random order. */
function drawSome(random: SeededRandom, all: readonly string[], count: number): string[] {
  const left = [...all];
  return Array.from({ length: count }, () => {
    const [one = ''] = left.splice(random.whole(0, left.length - 1), 1);
    return one;
  });
}

/** Most runs have no disturbances of single messages, so that a failing run is easy to read. */
function drawHazards(random: SeededRandom): Hazards {
  if (random.chance(0.5)) return { lose: 0, slow: 0, repeat: 0 };
  return {
    lose: random.pick([0, 0.002, 0.01]),
    slow: random.pick([0, 0.005, 0.02]),
    repeat: random.pick([0, 0.01, 0.05]),
  };
}

/** The rate of a clock, within the drift that Redlock allows for. */
const drawRate = (random: SeededRandom): number => random.between(0.998, 1.002);
