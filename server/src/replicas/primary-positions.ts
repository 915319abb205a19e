/**
 * The present and earlier log positions of the primary.
 *
 * Invariants
 *   - a sample covers every commit that was acknowledged, or could be read, before `takenAtMs`, because it was asked
 *     for at that moment and answered later
 *   - samples are in the order of their ranks; of several with equal rank only the latest is kept, which covers the
 *     most
 */
import type { SqlRunner } from '../database/index.ts';
import { type LogPosition, rankOf } from '../domain/index.ts';
import { SingleFlight } from '../reads/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { type PositionDialect, positionText } from './dialect.ts';
import type { PrimaryLog } from './port.ts';
import { within } from './within.ts';

/** After this time a position counts as unknown. Not longer, because tombstones wait for it. */
const ANSWER_MS = 250;
/** With four samples a second, the last minute is complete, and earlier samples are increasingly sparse. */
const MAX_SAMPLES = 256;

export interface Sample {
  position: LogPosition;
  /** When it was asked for, by this process's monotonic clock. */
  takenAtMs: number;
}

export class PrimaryPositions implements PrimaryLog {
  readonly #sql: SqlRunner;
  readonly #runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>;
  /** Concurrent calls share a statement that begins after each of them. */
  readonly #asking = new SingleFlight<LogPosition | null>();
  #samples: Sample[] = [];
  #dialect: PositionDialect | null = null;
  #identity: string | null = null;

  constructor(sql: SqlRunner, runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>) {
    this.#sql = sql;
    this.#runtime = runtime;
  }

  /** Oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  get newest(): Sample | null {
    return this.#samples.at(-1) ?? null;
  }

  /** Null until it is known which database it is. */
  get dialect(): PositionDialect | null {
    return this.#dialect;
  }

  /** Distinguishes the primary from other servers; null where the primary does not report it. */
  get identity(): string | null {
    return this.#identity;
  }

  current(): Promise<LogPosition | null> {
    return this.#asking.join('', () => this.#ask());
  }

  /** The oldest sample that was taken at `sinceMs` or later, because a replica reaches that one first. */
  oldestSince(sinceMs: number): Sample | null {
    return this.#samples.find(({ takenAtMs }) => takenAtMs >= sinceMs) ?? null;
  }

  async #ask(): Promise<LogPosition | null> {
    const { clock, timers, log } = this.#runtime;
    const takenAtMs = clock.nowMs();
    try {
      const position = await within(timers, ANSWER_MS, this.#read());
      if (position !== null) this.#keep({ position, takenAtMs });
      return position;
    } catch (error) {
      log.debug({ err: error }, "could not read the primary's log position");
      return null;
    }
  }

  async #read(): Promise<LogPosition | null> {
    const dialect = this.#dialect ?? (await this.#meet());
    const { rows } = await this.#sql.run(dialect.primary);
    const text = positionText(rows[0]);
    return text === null ? null : dialect.parse(text);
  }

  async #meet(): Promise<PositionDialect> {
    const dialect = await this.#sql.dialect.replicas.positions(this.#sql);
    this.#identity = await identityOf(this.#sql, dialect).catch((error: unknown) => {
      this.#runtime.log.warn({ err: error }, 'the primary does not report its identity');
      return null;
    });
    this.#dialect = dialect;
    return dialect;
  }

  #keep(sample: Sample): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && rankOf(last.position) === rankOf(sample.position)) {
      last.takenAtMs = Math.max(last.takenAtMs, sample.takenAtMs);
      return;
    }
    // The database was restored to an earlier state, so earlier samples mean nothing.
    if (last !== undefined && rankOf(last.position) > rankOf(sample.position)) this.#samples = [];
    this.#samples.push(sample);
    if (this.#samples.length <= MAX_SAMPLES) return;
    this.#samples = this.#samples.filter((_, index) => index % 2 === 0 || index > MAX_SAMPLES / 2);
  }
}

/** @throws LockstepError `DATABASE_UNAVAILABLE` if the server does not answer, or the account may not ask */
export async function identityOf(
  sql: SqlRunner,
  { identity }: PositionDialect,
): Promise<string | null> {
  return (await sql.run(identity)).rows[0]?.identity ?? null;
}
