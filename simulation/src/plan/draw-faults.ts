import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import { SERVER_NAMES, type Fault, type LinkEffect, type ServerName } from './plan.ts';

/** The limits within which faults are drawn. */
export interface FaultFrame {
  coordinators: number;
  /** Faults begin within this time, while clients are at work. In ms. */
  withinMs: number;
}

/** The others are drawn where a run is about them. */
type UsualKind = Exclude<
  Fault['kind'],
  'lose-entries' | 'fail-over' | 'trim-streams' | 'lose-streams'
>;

const KINDS: Record<UsualKind, number> = {
  crash: 4,
  pause: 5,
  link: 7,
  down: 3,
  hang: 3,
  forget: 2,
  'expire-locks': 2,
  evict: 3,
  jump: 3,
  drift: 2,
};

const EFFECTS: Record<LinkEffect, number> = {
  'lose-requests': 2,
  'lose-replies': 3,
  'slow-requests': 5,
  'slow-replies': 4,
  'repeat-requests': 2,
};

/** Some faults last longer than a lock's TTL. */
const LONGEST_MS = 700;
const LONGEST_DELAY_MS = 500;
const LONGEST_JUMP_MS = 2_000;

/** One fault of any kind. */
export function drawFault(random: SeededRandom, frame: FaultFrame): Fault {
  const { atMs, coordinator } = drawPlace(random, frame);
  const forMs = random.whole(5, LONGEST_MS);
  const kind = random.weighted(KINDS);
  switch (kind) {
    case 'crash':
    case 'pause':
      return { kind, coordinator, atMs, forMs };
    case 'link':
      return drawLink(random, coordinator, { atMs, forMs });
    case 'down':
      // Not for long, because the rest of the run says little while a server is down.
      return { kind, server: drawServer(random), atMs, forMs: Math.ceil(forMs / 3) };
    case 'hang':
      return { kind, server: drawServer(random), atMs, forMs: Math.ceil(forMs / 2) };
    case 'forget':
      return { kind, node: random.whole(0, 2), atMs };
    case 'expire-locks':
      return { kind, atMs };
    case 'evict':
      return { kind, share: random.pick([0.3, 1]), atMs };
    case 'jump': {
      const byMs = random.whole(-LONGEST_JUMP_MS, LONGEST_JUMP_MS);
      return { kind, clock: drawMachine(random, coordinator), byMs, atMs };
    }
    case 'drift': {
      const rate = random.between(0.5, 2);
      return { kind, clock: drawMachine(random, coordinator), rate, atMs };
    }
  }
}

/**
 * A write that arrives late: the coordinator's requests to the database are slow, and its lock is lost while one is on
 * its way. What is acknowledged or refused meanwhile must stay true.
 */
export function drawZombie(random: SeededRandom, frame: FaultFrame): Fault[] {
  const { atMs, coordinator } = drawPlace(random, frame);
  const forMs = random.whole(20, 150);
  const late: Fault = {
    ...{ kind: 'link', from: coordinator, to: 'database', effect: 'slow-requests', atMs, forMs },
    delayMs: random.whole(LONGEST_DELAY_MS, 3 * LONGEST_DELAY_MS),
  };
  const lossAtMs = atMs + random.whole(5, forMs + 30);
  const awayMs = random.whole(100, LONGEST_MS);
  const loss = random.pick<Fault>([
    { kind: 'crash', coordinator, atMs: lossAtMs, forMs: awayMs },
    { kind: 'crash', coordinator, atMs: lossAtMs, forMs: awayMs },
    { kind: 'pause', coordinator, atMs: lossAtMs, forMs: awayMs },
    { kind: 'expire-locks', atMs: lossAtMs },
  ]);
  return [late, loss];
}

/** Commits whose answers never arrive; perhaps the waiting process is then killed. */
export function drawSilentCommit(random: SeededRandom, frame: FaultFrame): Fault[] {
  const { atMs, coordinator } = drawPlace(random, frame);
  const forMs = random.whole(20, 200);
  const silence: Fault = {
    ...{ kind: 'link', from: coordinator, to: 'database', effect: 'lose-replies', atMs, forMs },
    delayMs: 0,
  };
  if (random.chance(0.5)) return [silence];
  const crashAtMs = atMs + random.whole(1, forMs);
  const awayMs = random.whole(20, LONGEST_MS);
  return [silence, { kind: 'crash', coordinator, atMs: crashAtMs, forMs: awayMs }];
}

/** A process that is killed, for a moment. */
export function drawCrash(random: SeededRandom, frame: FaultFrame): Fault[] {
  const { atMs, coordinator } = drawPlace(random, frame);
  return [{ kind: 'crash', coordinator, atMs, forMs: random.whole(5, 60) }];
}

/**
 * The database's answers to the first coordinator are slow, and the cache may lose entries, so that it must ask more
 * often.
 */
/** @param from the coordinator whose answers are slow; null: everybody's */
export function drawSlowAnswers(
  random: SeededRandom,
  frame: FaultFrame,
  from: number | null = 0,
): Fault[] {
  const { atMs } = drawPlace(random, frame);
  const forMs = random.whole(20, 250);
  const slow: Fault = {
    ...{ kind: 'link', from, to: 'database', effect: 'slow-replies', atMs, forMs },
    delayMs: random.whole(20, LONGEST_DELAY_MS / 2),
  };
  return random.chance(0.5) ? [slow] : [slow, { kind: 'evict', share: 1, atMs: atMs + 1 }];
}

function drawLink(
  random: SeededRandom,
  coordinator: number,
  during: { atMs: number; forMs: number },
): Fault {
  const effect = random.weighted(EFFECTS);
  const isSlow = effect === 'slow-requests' || effect === 'slow-replies';
  return {
    kind: 'link',
    from: random.chance(0.7) ? coordinator : null,
    to: random.chance(0.8) ? drawServer(random) : null,
    effect,
    delayMs: isSlow ? random.whole(10, LONGEST_DELAY_MS) : 0,
    ...during,
  };
}

function drawPlace(
  random: SeededRandom,
  { coordinators, withinMs }: FaultFrame,
): { atMs: number; coordinator: number } {
  return {
    atMs: random.whole(0, Math.floor(withinMs)),
    coordinator: random.whole(0, coordinators - 1),
  };
}

/** Draws the cache or the database more often than a lock node. */
const drawServer = (random: SeededRandom): ServerName =>
  random.chance(0.7) ? random.pick(['cache', 'database']) : random.pick(SERVER_NAMES);

const drawMachine = (random: SeededRandom, coordinator: number): number | ServerName =>
  random.chance(0.5) ? coordinator : random.pick(SERVER_NAMES);

/** The cache loses entries a few times in a run, mostly while a write takes long. */
export function drawLosses(random: SeededRandom, frame: FaultFrame): Fault[] {
  return Array.from({ length: random.whole(1, 8) }, () => {
    const { atMs, coordinator } = drawPlace(random, frame);
    const loss: Fault = { kind: 'lose-entries', share: random.pick([0.5, 1]), atMs: atMs + 15 };
    if (random.chance(0.3)) return [loss];
    const slow: Fault = {
      ...{ kind: 'link', from: coordinator, to: 'database', effect: 'slow-requests' },
      ...{ delayMs: random.whole(30, LONGEST_DELAY_MS / 2), atMs, forMs: random.whole(10, 40) },
    };
    return [slow, loss];
  }).flat();
}

/** A service reads its invalidation stream late, and the stream may lose messages meanwhile. */
export function drawUnheard(random: SeededRandom, frame: FaultFrame, services: number): Fault[] {
  const { atMs } = drawPlace(random, frame);
  const forMs = random.whole(10, 300);
  const late: Fault = {
    ...{
      kind: 'link',
      from: frame.coordinators + random.below(services),
      to: 'cache',
      atMs,
      forMs,
    },
    effect: random.pick(['slow-requests', 'slow-replies', 'lose-requests', 'lose-replies']),
    delayMs: random.whole(5, 80),
  };
  const lossAtMs = atMs + random.whole(0, forMs);
  const loss = random.weighted({ none: 2, 'trim-streams': 3, 'lose-streams': 2 });
  return loss === 'none' ? [late] : [late, { kind: loss, atMs: lossAtMs }];
}

/** Invalidation streams lose messages. */
export function drawLostMessages(random: SeededRandom, frame: FaultFrame): Fault[] {
  const { atMs } = drawPlace(random, frame);
  return [{ kind: random.pick(['trim-streams', 'lose-streams']), atMs }];
}

/** The cache fails over a few times in a run, mostly while steps on entries are under way. */
export function drawFailovers(random: SeededRandom, frame: FaultFrame): Fault[] {
  return Array.from({ length: random.whole(1, 6) }, () => {
    const { atMs } = drawPlace(random, frame);
    const failOver: Fault = {
      ...{ kind: 'fail-over', share: random.pick([0, 0, random.next(), 1]) },
      ...{ atMs: atMs + 25, forMs: random.whole(1, 40) },
    };
    if (random.chance(0.3)) return [failOver];
    const slow: Fault = {
      ...{ kind: 'link', from: null, to: 'cache', effect: 'slow-requests' },
      ...{ delayMs: random.whole(10, 60), atMs, forMs: 25 },
    };
    return [slow, failOver];
  }).flat();
}
