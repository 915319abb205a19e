/**
 * Releases locks in batches: one command a node for all locks of one moment. Nobody waits for a release, and a command
 * for each lock and node would cost as much as acquiring it did.
 *
 * States of a release: waiting for its batch (at most one timer tick) -> sent to every node -> decided, by the votes of
 * a majority or once all nodes have answered or failed.
 */
import type { Redis } from 'ioredis';
import { evaluate, redisScript } from '../redis/index.ts';
import type { Timers } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import releaseScript from './scripts/release.lua?raw';

type ReleaseResult = Awaited<ReturnType<LockNodes['release']>>;

/** A node handles one command at a time, so this bounds how long one command blocks it. */
const MAX_BATCH = 100;

/** Load it on every connection. */
export const RELEASE_SCRIPT = redisScript(releaseScript);

export interface ReleaseBatcherOptions {
  clients: readonly Redis[];
  /** Votes that decide. */
  majority: number;
  timers: Pick<Timers, 'after'>;
  onFailedCommand: (error: unknown) => void;
}

interface WaitingRelease {
  grant: Grant;
  resolve: (result: ReleaseResult) => void;
}

export class ReleaseBatcher {
  readonly #options: ReleaseBatcherOptions;
  #waiting: WaitingRelease[] = [];

  constructor(options: ReleaseBatcherOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  release(grant: Grant): Promise<ReleaseResult> {
    return new Promise((resolve) => {
      this.#waiting.push({ grant, resolve });
      if (this.#waiting.length === 1) this.#options.timers.after(0, () => this.#sendBatch());
      if (this.#waiting.length === MAX_BATCH) this.#sendBatch();
    });
  }

  #sendBatch(): void {
    const batch = this.#waiting;
    if (batch.length === 0) return;
    this.#waiting = [];
    const { clients, majority } = this.#options;
    const votes = batch.map(({ resolve }) => new Votes(clients.length, majority, resolve));
    for (const client of clients) {
      void this.#send(client, batch).then((removed) => {
        for (const [index, vote] of votes.entries()) vote.count(removed?.[index]);
      });
    }
  }

  /** 1 or 0 for each lock; null where the node did not answer. */
  async #send(client: Redis, batch: readonly WaitingRelease[]): Promise<readonly unknown[] | null> {
    const keys = batch.map(({ grant }) => grant.lockKey);
    const tokens = batch.map(({ grant }) => grant.token);
    try {
      const removed = await evaluate(client, RELEASE_SCRIPT, keys, tokens);
      return Array.isArray(removed) ? removed : null;
    } catch (error) {
      this.#options.onFailedCommand(error);
      return null;
    }
  }
}

/** The nodes' votes on the release of one lock. */
class Votes {
  readonly #majority: number;
  readonly #resolve: (result: ReleaseResult) => void;
  #outstanding: number;
  #removed = 0;
  #notHeld = 0;

  constructor(nodes: number, majority: number, resolve: (result: ReleaseResult) => void) {
    this.#outstanding = nodes;
    this.#majority = majority;
    this.#resolve = resolve;
  }

  count(vote: unknown): void {
    this.#outstanding--;
    if (vote === 1) this.#removed++;
    else if (vote === 0) this.#notHeld++;
    if (this.#removed >= this.#majority) this.#resolve('released');
    else if (this.#outstanding > 0) return;
    else if (this.#removed + this.#notHeld >= this.#majority) this.#resolve('gone');
    else this.#resolve('unavailable');
  }
}
