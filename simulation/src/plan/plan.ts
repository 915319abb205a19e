/**
 * Everything that determines one run, besides the code. It is drawn from a seed, and is plain data, so that a failing
 * run can be made smaller by leaving parts out.
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
  /** Its process is killed, and later another one starts. */
  | ({ kind: 'crash'; coordinator: number } & During)
  | ({ kind: 'pause'; coordinator: number } & During)
  /** `from`: a coordinator or, from their number on, a service. `from`, `to`: null means all. */
  | ({
      kind: 'link';
      from: number | null;
      to: ServerName | null;
      effect: LinkEffect;
      /** The longest delay of a slow link. */
      delayMs: number;
    } & During)
  /** The server refuses connections. It keeps its data. */
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
  /** Invalidation streams lose all but their newest message, or are gone. */
  | { kind: 'trim-streams' | 'lose-streams'; atMs: number }
  /** A replica takes the cache's place, with so much of what it may lack; callers are cut off for a time. */
  | ({ kind: 'fail-over'; share: number } & During)
  /** A wall clock is set. */
  | { kind: 'jump'; clock: number | ServerName; byMs: number; atMs: number }
  /** A monotonic clock runs at another rate from then on. */
  | { kind: 'drift'; clock: number | ServerName; rate: number; atMs: number };

/** The probabilities of disturbances of each single message. */
export interface Hazards {
  lose: number;
  slow: number;
  repeat: number;
}

export type MishapEffect = 'lose-request' | 'lose-reply' | 'slow-request' | 'slow-reply' | 'repeat';

/** A certain disturbance of one message. */
export interface Mishap {
  /** Names the message: who sends what to whom, and which of these. */
  message: string;
  effect: MishapEffect;
}

/** What a caller does with the guards that it has taken. */
export interface GuardedPlan {
  ttlMs: number;
  /** The pause before it begins its transaction; longer than the TTL: it comes back too late. */
  thinkMs: number;
  /** The pause between `lockstep_guard` and the end of the transaction. */
  holdMs: number;
  /** `commit-and-die`, `die`: it is killed, after it has sent its commit or instead of it, and tells nothing. */
  ends: 'commit' | 'roll-back' | 'commit-and-die' | 'die';
  /** Tells another coordinator than the one that granted, as if that one were gone. */
  tellsAnother: boolean;
}

export type ClientAction =
  | { do: 'read'; primary: boolean }
  /** Asks for at least the version that this client has seen last. */
  | { do: 'read-at-least' }
  /** Of these keys at once, as the reads of one batch. */
  | { do: 'read-many'; keys: string[] }
  /** Directly from the cache, without a coordinator. */
  | { do: 'cache-read' }
  | { do: 'put' }
  | { do: 'increment'; by: number }
  /** A put with the version that this client has seen last as `If-Match`. */
  | { do: 'compare-and-set' }
  | { do: 'delete' }
  /** A write that the database refuses. */
  | { do: 'refused' }
  /** A put with an idempotency key, sent once more whatever its answer was. */
  | { do: 'put-twice' }
  | { do: 'invalidate' }
  /** A repair, as by an audit that has found drift. */
  | { do: 'repair' }
  /** A transaction over these keys. If `refused`, the database refuses its last write. */
  | { do: 'transact'; keys: string[]; refused: boolean }
  /** A lease, so many writes within it with a pause before each, and its release. */
  | { do: 'lease'; ttlMs: number; writes: number; thinkMs: number }
  /** A transaction of the client's own over these strict keys, under guards. */
  | ({ do: 'guard'; keys: string[] } & GuardedPlan)
  /** Of these keys in one tick, through a service's client. */
  | { do: 'client-read'; keys: string[] }
  /** Puts and increments of these keys in one tick, through a service's client: side by side in one batch. */
  | { do: 'client-write'; keys: string[] }
  /** A new row, whose key the database makes. If `twice`, another service repeats it with the same idempotency key. */
  | { do: 'insert'; twice: boolean }
  /** The newest row that any client has inserted. */
  | { do: 'read-inserted' }
  /** The value that is computed from the account and the note of the key's id. */
  | { do: 'computed'; staleIfErrorMs: number; refreshAheadMs: number };

export interface PlannedOperation {
  /** Unique in the plan. */
  id: number;
  action: ClientAction;
  /** `RESOURCE:KEY`. */
  key: string;
  coordinator: number;
  /** The service whose client it goes through, if it goes through one. */
  service: number;
  /** When it begins, at the earliest: the client's previous operation must have ended. */
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
  /** Rates of the machines' clocks; 1 is correct. */
  clockRates: { coordinators: number[]; servers: Record<ServerName, number> };
  /** Clients keep values in memory; how many messages an invalidation stream keeps. Null: they do not. */
  local: { streamLength: number } | null;
  /** TTL of a value in the cache. */
  valueTtlMs: number;
}

export const SERVER_NAMES: readonly ServerName[] = [
  'cache',
  'database',
  'lock 1',
  'lock 2',
  'lock 3',
];
