import type { Telemetry } from '../domain/index.ts';
import { type Key, type LogPosition, UNKNOWN_POSITION } from '../domain/index.ts';
import type { ReplicaDatabase, SqlRunner } from '../database/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import { PrimaryPositions } from './primary-positions.ts';
import type { ReplicaNeed, ReplicaReport, ReplicaRow, Replicas } from './port.ts';
import { Replica } from './replica.ts';

/** How often the primary and the replicas are asked for their positions. */
const POLL_EVERY_MS = 250;

export interface ReplicaSetOptions {
  /** Runs on the primary. */
  sql: SqlRunner;
  /** In the order of the configuration. */
  replicas: readonly ReplicaDatabase[];
  telemetry: Telemetry;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'random' | 'log'>;
}

/**
 * The configured replicas. Decides by the log positions that they have reached which one may answer a read.
 *
 * A replica is asked only if, by its last poll, it is likely to have everything needed, and it confirms that before
 * each row. If none has it, or the replica fails, the caller reads the primary at once.
 */
export class ReplicaSet implements Replicas {
  readonly #options: ReplicaSetOptions;
  readonly #primary: PrimaryPositions;
  readonly #replicas: readonly Replica[];
  #lastIndex = 0;
  #tick: Timer | null = null;
  #isStopped = false;

  constructor(options: ReplicaSetOptions) {
    const { sql, runtime, replicas } = options;
    this.#options = options;
    this.#primary = new PrimaryPositions(sql, runtime);
    this.#replicas = replicas.map(
      (database, index) =>
        new Replica({ name: `replica ${index + 1}`, database, primary: this.#primary, runtime }),
    );
  }

  /** Polls all once, then regularly. Does not wait for servers that do not answer. */
  async start(): Promise<void> {
    await this.#poll();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#tick?.cancel();
    await Promise.all(this.#options.replicas.map((database) => database.close()));
  }

  current(): Promise<LogPosition | null> {
    return this.#primary.current();
  }

  latest(): LogPosition | null {
    return this.#primary.newest?.position ?? null;
  }

  async read(key: Key, need: ReplicaNeed): Promise<ReplicaRow | null> {
    const needed = this.#needed(need);
    const replica = needed === null ? null : this.#choose(needed);
    if (needed === null || replica === null) return this.#none(key, 'behind');
    try {
      const found = await replica.read(key, needed);
      if (found === null || found.row.version < need.leastVersion) return this.#none(key, 'behind');
      this.#report(key, 'read');
      return found;
    } catch (error) {
      this.#options.runtime.log.debug({ err: error }, 'a replica failed; the primary is read');
      return this.#none(key, 'failed');
    }
  }

  /** How far the slowest readable replica is behind, in ms; 0 if none may be read. */
  lagMs(): number {
    const read = this.#replicas.filter(({ isUp }) => isUp);
    return Math.max(0, ...read.map((replica) => (replica.lagMs() ?? 0) + POLL_EVERY_MS));
  }

  reports(): ReplicaReport[] {
    return this.#replicas.map((replica) => replica.report());
  }

  /** The positions that a replica must have reached; null if unknown. */
  #needed({ after, youngerThanMs }: ReplicaNeed): readonly LogPosition[] | null {
    if (after.includes(UNKNOWN_POSITION)) return null;
    if (youngerThanMs === undefined) return after.length === 0 ? null : after;
    const sinceMs = this.#options.runtime.clock.nowMs() - youngerThanMs;
    const sample = this.#primary.oldestSince(sinceMs);
    return sample === null ? null : [...after, sample.position];
  }

  /** The next replica that is likely to have reached them, round robin. */
  #choose(needed: readonly LogPosition[]): Replica | null {
    const { length } = this.#replicas;
    for (let step = 1; step <= length; step += 1) {
      const index = (this.#lastIndex + step) % length;
      const replica = this.#replicas[index];
      if (replica?.mayHave(needed) !== true) continue;
      this.#lastIndex = index;
      return replica;
    }
    return null;
  }

  #none(key: Key, result: 'behind' | 'failed'): null {
    this.#report(key, result);
    return null;
  }

  #report({ resource }: Key, result: 'read' | 'behind' | 'failed'): void {
    this.#options.telemetry.emit({ type: 'replica-asked', resource, result });
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#tick = this.#options.runtime.timers.after(POLL_EVERY_MS, () => {
      void this.#poll(); // never rejects; a server that has not answered yet is not asked again
      this.#schedule();
    });
  }

  /** Asks the primary first, so that a replica that has reached its answer has caught up. */
  async #poll(): Promise<void> {
    await this.#primary.current();
    await Promise.all(this.#replicas.map((replica) => replica.poll()));
  }
}
