/**
 * Releases locks, those of one moment together: one command a node for all of them. Nobody waits for a release, and
 * one command for each lock and node costs as much as its acquisition did.
 *
 * States of a release: waiting for its round (at most a timer's tick) -> sent to every node -> settled, by a majority's
 * votes or when all have answered.
 */
import type { Redis } from 'ioredis';
import type { Timers } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import { evaluate, lockScript } from './redis-script.ts';
import releaseScript from './scripts/release.lua?raw';

type Released = Awaited<ReturnType<LockNodes['release']>>;

/** Bound on the locks of one command: it holds its node up for so long. */
const MAX_ROUND = 100;

/** To be loaded on every connection. */
export const RELEASE_SCRIPT = lockScript(releaseScript);

export interface ReleaseBatcherOptions {
  clients: readonly Redis[];
  /** Votes that decide. */
  majority: number;
  timers: Pick<Timers, 'after'>;
  onFailedCommand: (error: unknown) => void;
}

interface Waiting {
  grant: Grant;
  settle: (released: Released) => void;
}

export class ReleaseBatcher {
  readonly #options: ReleaseBatcherOptions;
  #waiting: Waiting[] = [];

  constructor(settings: ReleaseBatcherOptions) {
    this.#options = settings;
  }

  /** Never rejects. */
  release(grant: Grant): Promise<Released> {
    return new Promise((settle) => {
      this.#waiting.push({ grant, settle });
      if (this.#waiting.length === 1) this.#options.timers.after(0, () => this.#begin());
      if (this.#waiting.length === MAX_ROUND) this.#begin();
    });
  }

  #begin(): void {
    const round = this.#waiting;
    if (round.length === 0) return;
    this.#waiting = [];
    const { clients, majority } = this.#options;
    const votes = round.map(({ settle }) => new Votes(clients.length, majority, settle));
    for (const client of clients) {
      void this.#send(client, round).then((removed) => {
        for (const [index, vote] of votes.entries()) vote.count(removed?.[index]);
      });
    }
  }

  /** 1 or 0 for each lock; null where the node did not answer. */
  async #send(client: Redis, round: readonly Waiting[]): Promise<readonly unknown[] | null> {
    const keys = round.map(({ grant }) => grant.lockKey);
    const tokens = round.map(({ grant }) => grant.token);
    try {
      const removed = await evaluate(client, RELEASE_SCRIPT, keys, tokens);
      return Array.isArray(removed) ? removed : null;
    } catch (error) {
      this.#options.onFailedCommand(error);
      return null;
    }
  }
}

/** The nodes' votes on one lock. */
class Votes {
  readonly #majority: number;
  readonly #settle: (released: Released) => void;
  #open: number;
  #removed = 0;
  #notHeld = 0;

  constructor(nodes: number, majority: number, settle: (released: Released) => void) {
    this.#open = nodes;
    this.#majority = majority;
    this.#settle = settle;
  }

  count(vote: unknown): void {
    this.#open--;
    if (vote === 1) this.#removed++;
    else if (vote === 0) this.#notHeld++;
    if (this.#removed >= this.#majority) this.#settle('released');
    else if (this.#open > 0) return;
    else if (this.#removed + this.#notHeld >= this.#majority) this.#settle('gone');
    else this.#settle('unavailable');
  }
}
