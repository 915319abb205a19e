import type {
  CacheOutcome,
  DriftClass,
  ErrorCode,
  KeyEvent,
  Outcome,
  ReadSource,
} from '@lockstep/shared';
import type { Key, Resource } from './resource.ts';

/** Where the time of one write went, in ms; a phase that was not reached is absent. */
export interface WritePhases {
  queueMs?: number;
  lockMs?: number;
  intentMs?: number;
  transactionMs?: number;
  publishMs?: number;
}

/**
 * Who invalidated an entry. `transaction`: another program in its own transaction, by `lockstep_invalidate` or by a
 * capture trigger.
 */
export type InvalidatedBy = 'api' | 'audit' | 'outbox' | 'transaction';

/**
 * What happens to a guard: it is taken, and then ends in one of the other ways. `lost`: it ran out, or what its caller
 * told is not what the database says.
 */
export type GuardStep = 'taken' | 'committed' | 'rolled_back' | 'lost';

/** Everything that the engine reports about itself. Capabilities emit these; metrics, the live stream and key histories consume them. */
export type TelemetryEvent =
  | {
      type: 'write';
      key: Key;
      op: 'put' | 'patch' | 'delete';
      outcome: Outcome;
      /** The error's code where the write was not acknowledged. */
      code: ErrorCode | null;
      cache: CacheOutcome;
      version: number | null;
      fence: number | null;
      replayed: boolean;
      phases: WritePhases;
      totalMs: number;
    }
  | { type: 'read'; key: Key; source: ReadSource | null; code: ErrorCode | null; totalMs: number }
  /** A read's attempt to fill the cache; `refused`: its lease was gone or its version too low. */
  | { type: 'fill'; key: Key; result: 'filled' | 'refused' | 'failed' }
  /** A read found text that is not an entry. */
  | { type: 'corrupt-entry'; key: Key }
  /** A read that a replica might have answered. `behind`: no replica has reached what is needed. */
  | { type: 'replica-asked'; resource: Resource; result: 'read' | 'behind' | 'failed' }
  | { type: 'lock-acquired'; key: Key; waitMs: number; attempts: number; contended: boolean }
  | { type: 'lock-released'; key: Key; heldMs: number }
  /** A held lock was lost. `lost`: the nodes said so. `expired`: its time ran out. */
  | { type: 'lock-lost'; key: Key; how: 'lost' | 'expired'; heldMs: number }
  | { type: 'lock-failed'; key: Key; code: ErrorCode; waitMs: number; attempts: number }
  | { type: 'write-fenced'; key: Key; fence: number; storedFence: number }
  /** `strict.verifyIntent`: the cache had lost the intent before the commit, and the write was rolled back. */
  | { type: 'intent-lost'; key: Key; fence: number }
  | {
      type: 'intent-recovered';
      key: Key;
      by: 'reader' | 'sweeper' | 'audit' | 'writer';
      version: number;
    }
  | { type: 'invalidated'; key: Key; by: InvalidatedBy; version: number | null }
  /**
   * A batch of the change log is done. `bypassed`: by table, changed rows that no write through Lockstep accounts for.
   */
  | {
      type: 'changes-followed';
      changes: number;
      invalidations: number;
      bypassed: ReadonlyMap<string, number>;
      lagMs: number;
    }
  | { type: 'outbox-relayed'; count: number; delayMs: number }
  /** Calls of `lockstep_invalidate` whose cache steps are done. `delayMs`: since the oldest of these calls. */
  | { type: 'calls-carried-out'; count: number; delayMs: number }
  /** Rows that capture triggers noted were invalidated: before and after of one row count once where they are the same. */
  | { type: 'changes-captured'; resource: Resource; count: number }
  | { type: 'outbox-dead-lettered'; resource: string; key: string; error: string }
  /** All entries were swept, because the cache is another server than before. */
  | { type: 'cache-failed-over' }
  /** A guard was taken, or ended; see `GuardStep`. */
  | { type: 'guard'; step: GuardStep }
  /** Old rows of one of Lockstep's own tables were removed. */
  | { type: 'pruned'; table: string; rows: number }
  | { type: 'audit-sampled'; resource: Resource; count: number; drift: number }
  | { type: 'drift-found'; key: Key; class: DriftClass }
  | { type: 'drift-repaired'; key: Key; class: DriftClass; ok: boolean };

/** Receives telemetry. Implementations are fast and never throw. */
export interface Telemetry {
  emit(event: TelemetryEvent): void;
}

/** An event about one key. */
export type KeyedEvent = Extract<TelemetryEvent, { key: { text: string } }>;
type Words = Pick<KeyEvent, 'type' | 'detail'>;

/**
 * A telemetry event in a few words for people.
 * @param count how many equal reads it stands for
 */
export function describeEvent(event: KeyedEvent, count = 1): Words {
  switch (event.type) {
    case 'write':
      return describeWrite(event);
    case 'read':
      return describeRead(event, count);
    case 'fill':
      return {
        type: `fill ${event.result}`,
        detail:
          event.result === 'refused'
            ? 'its lease was gone, or the entry asked for a newer version'
            : '',
      };
    case 'lock-acquired':
      return {
        type: 'lock waited for',
        detail: `${ms(event.waitMs)}, ${event.attempts} attempt(s)`,
      };
    case 'lock-released':
      return { type: 'lock released', detail: `held ${ms(event.heldMs)}` };
    case 'lock-lost':
      return { type: `lock ${event.how}`, detail: `after ${ms(event.heldMs)}` };
    case 'lock-failed':
      return {
        type: 'lock not acquired',
        detail: `${event.code} after ${ms(event.waitMs)}, ${event.attempts} attempt(s)`,
      };
    case 'write-fenced':
      return {
        type: 'write fenced',
        detail: `fence ${event.fence}, the database has seen ${event.storedFence}`,
      };
    case 'corrupt-entry':
      return { type: 'unreadable entry', detail: 'treated as missing' };
    case 'intent-lost':
      return { type: 'intent lost', detail: `fence ${event.fence}, found before the commit` };
    case 'intent-recovered':
      return { type: 'intent recovered', detail: `by ${event.by}, version ${event.version}` };
    case 'invalidated':
      return { type: 'invalidated', detail: `by ${event.by}, version ${event.version}` };
    case 'drift-found':
      return { type: 'audit drift', detail: event.class };
    case 'drift-repaired':
      return {
        type: event.ok ? 'drift repaired' : 'drift not repaired',
        detail: event.class,
      };
  }
}

function describeWrite(event: Extract<KeyedEvent, { type: 'write' }>): Words {
  const parts: string[] = [event.op];
  if (event.version !== null) parts.push(`version ${event.version}`);
  if (event.fence !== null) parts.push(`fence ${event.fence}`);
  if (event.replayed) parts.push('answered from its idempotency key');
  if (event.outcome === 'applied') parts.push(`cache ${event.cache}`);
  if (event.code !== null) parts.push(event.code);
  parts.push(ms(event.totalMs));
  const type = {
    applied: 'write',
    not_applied: 'write refused',
    unknown: 'write unknown',
  }[event.outcome];
  return { type, detail: parts.join(', ') };
}

function describeRead(event: Extract<KeyedEvent, { type: 'read' }>, count: number): Words {
  const from = event.code ?? `from ${event.source ?? 'nowhere'}`;
  const times = count === 1 ? ms(event.totalMs) : `${count} in a row`;
  return { type: event.code === null ? 'read' : 'read failed', detail: `${from}, ${times}` };
}

const ms = (valueMs: number): string =>
  `${valueMs < 10 ? valueMs.toFixed(1) : Math.round(valueMs)} ms`;
