/**
 * All that makes one run what it is, besides the code: drawn from a seed, and then plain data, so that a failing run can
 * be made smaller by leaving parts of it out.
 */

export type ServerName = 'cache' | 'database' | 'lock 1' | 'lock 2' | 'lock 3';

/** What a link does to messages while a fault lasts. */
export type LinkEffect =
  'lose-requests' | 'lose-replies' | 'slow-requests' | 'slow-replies' | 'repeat-requests';

interface During {
  atMs: number;
  forMs: number;
}

export type Fault =
  /** Its process is killed, and another one starts in its place. */
  | ({ kind: 'crash'; coordinator: number } & During)
  | ({ kind: 'pause'; coordinator: number } & During)
  /** `from`, `to` null: every one. */
  | ({
      kind: 'link';
      from: number | null;
      to: ServerName | null;
      effect: LinkEffect;
      /** Longest delay of a slow one. */
      delayMs: number;
    } & During)
  /** Refuses connections; what it holds stays, except on lock nodes that `forget`. */
  | ({ kind: 'down'; server: ServerName } & During)
  | ({ kind: 'hang'; server: ServerName } & During)
  /** A lock node restarts empty. */
  | { kind: 'forget'; node: number; atMs: number }
  /** Locks vanish early, as if a node's clock had run ahead. */
  | { kind: 'expire-locks'; atMs: number }
  /** The cache loses a part of what may be evicted: everything but intents (assumption A3). */
  | { kind: 'evict'; share: number; atMs: number }
  /** The cache loses a part of everything, intents too: against assumption A3. */
  | { kind: 'lose-entries'; share: number; atMs: number }
  /** Somebody sets a wall clock. */
  | { kind: 'jump'; clock: number | ServerName; byMs: number; atMs: number }
  /** A monotonic clock runs at another rate from here on. */
  | { kind: 'drift'; clock: number | ServerName; rate: number; atMs: number };

/** Chances for each single message, whatever else goes on. */
export interface Hazards {
  lose: number;
  slow: number;
  repeat: number;
}

export type MishapEffect = 'lose-request' | 'lose-reply' | 'slow-request' | 'slow-reply' | 'repeat';

/** What befalls one message: a hazard made certain. */
export interface Mishap {
  /** Who sends what to whom, and which one of those. */
  message: string;
  effect: MishapEffect;
}

export type ClientAction =
  | { do: 'read'; primary: boolean }
  /** Asks for at least the version that this client has seen last. */
  | { do: 'read-at-least' }
  /** Of these keys at once, as the reads of one batch. */
  | { do: 'read-many'; keys: string[] }
  /** Straight from the cache, past every coordinator. */
  | { do: 'cache-read' }
  | { do: 'put' }
  | { do: 'increment'; by: number }
  /** A put under the version that this client has seen last. */
  | { do: 'compare-and-set' }
  | { do: 'delete' }
  /** A write that the database refuses. */
  | { do: 'refused' }
  /** A put with an idempotency key, sent once more whatever its answer was. */
  | { do: 'put-twice' }
  | { do: 'invalidate' }
  /** What an audit does that has found drift. */
  | { do: 'repair' }
  /** A transaction over these keys; where `refused`, the database refuses its last write. */
  | { do: 'transact'; keys: string[]; refused: boolean }
  /** A lease, so many writes under it with time to think before each, and its release. */
  | { do: 'lease'; ttlMs: number; writes: number; thinkMs: number };

export interface PlannedOperation {
  /** Unique in the plan. */
  id: number;
  action: ClientAction;
  /** `RESOURCE:KEY`. */
  key: string;
  coordinator: number;
  /** When it begins, or as soon as the client's operation before it has ended. */
  atMs: number;
}

export interface Plan {
  seed: number;
  coordinators: number;
  /** Operations of each client, one after the other. */
  clients: PlannedOperation[][];
  faults: Fault[];
  hazards: Hazards;
  mishaps: Mishap[];
  /** Rates of the machines' clocks: 1 is true. */
  clockRates: { coordinators: number[]; servers: Record<ServerName, number> };
  /** Life of a value in the cache. */
  valueTtlMs: number;
}

export const SERVER_NAMES: readonly ServerName[] = [
  'cache',
  'database',
  'lock 1',
  'lock 2',
  'lock 3',
];
