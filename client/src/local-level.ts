/**
 * Level `local`: values of a resource in this process's memory (docs/read-protocol.md, RP15 to RP18).
 *
 * States of a resource: unknown -> followed -> unknown …
 *   unknown    no message of its stream is known: nothing of it is kept or answered
 *   followed   all messages up to `lastId` were handled
 * followed -> unknown: a message was missed, the stream is gone, the connection failed, or the coordinators have told
 * another definition. Its values are forgotten then.
 *
 * Invariants
 *   - a value is answered only if it stood in the cache no more than `maxLagMs` ago, by this process's clock (D14): the
 *     last look whose messages were all handled was sent no longer ago, and it found no invalidation of the value
 *   - a value that was invalidated while it was read is not kept (D15)
 *   - a value does not outlive its entry's TTL (D16)
 */
import type { CatalogResource } from '@lockstep/shared/for-clients';
import type { CachedValue } from './entry-reader.ts';
import { type ClientEvents, tell } from './events.ts';
import type { InvalidationLooks, Look, StreamLook } from './invalidation-looks.ts';
import { isGap } from './invalidation-messages.ts';
import { LocalEntries } from './local-entries.ts';
import { type LocalFill, LocalFills } from './local-fills.ts';
import type { ClientRuntime } from './runtime.ts';

/** Looks in the time of `maxLagMs`, so that one that takes long does not end the use of memory. */
const LOOKS_PER_LAG = 4;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 2_000;
/** Life of a value whose entry has no TTL, which some program has taken away. */
const LIFE_WITHOUT_TTL_MS = 60_000;

type Why = Extract<ClientEvents['lockstep:local'], { event: 'emptied' }>['why'];

export interface LocalLevelOptions {
  /** Bound on what is kept, in bytes. */
  maxBytes: number;
  /** Bound on how old an answer may be. */
  maxLagMs: number;
  /** Opens a connection of the client's own. @param waitMs how long a look waits for a message */
  connect: (waitMs: number) => InvalidationLooks;
  runtime: Pick<ClientRuntime, 'nowMs' | 'inBackground'>;
}

interface LocalResource {
  name: string;
  stream: string;
  /** What must stay as it is, or the values are another definition's. */
  definition: string;
  lastId: string | null;
}

export class LocalLevel {
  readonly #options: LocalLevelOptions;
  readonly #entries: LocalEntries;
  readonly #fills = new LocalFills();
  #resources = new Map<string, LocalResource>();
  #connection: InvalidationLooks | null = null;
  /** When the last look was sent whose messages were all handled. */
  #confirmedAtMs = -Infinity;
  #pauseMs = 0;
  #wake: (() => void) | null = null;
  #isClosed = false;

  constructor(options: LocalLevelOptions) {
    this.#options = options;
    this.#entries = new LocalEntries(options.maxBytes);
  }

  /** The value, if it is kept and may be answered now. */
  find(cacheKey: string): CachedValue | undefined {
    const now = this.#options.runtime.nowMs();
    if (now - this.#confirmedAtMs <= this.#options.maxLagMs)
      return this.#entries.find(cacheKey, now);
    this.#empty('lag');
    return undefined;
  }

  /** A read of the cache begins. Null: what it finds is not to be kept. */
  begin(resource: string, cacheKey: string): LocalFill | null {
    const followed = this.#resources.get(resource);
    if (followed === undefined || followed.lastId === null) return null;
    return this.#fills.begin(resource, cacheKey, this.#options.runtime.nowMs());
  }

  /** The read was answered, in whatever way. Call it once for each `begin`. */
  end(fill: LocalFill): void {
    this.#fills.end(fill);
  }

  /**
   * Keeps a value that was read.
   * @param leftMs how much longer its entry lives; -1: for ever
   */
  keep(fill: LocalFill, value: CachedValue, characters: number, leftMs: number): void {
    const lifeMs = leftMs === -1 ? LIFE_WITHOUT_TTL_MS : leftMs;
    if (!fill.isValid || lifeMs <= 0) return;
    const { resource, cacheKey, beganAtMs } = fill;
    this.#entries.keep(cacheKey, { resource, value, characters, endsAtMs: beganAtMs + lifeMs });
  }

  forget(cacheKey: string): void {
    this.#fills.invalidate(cacheKey);
    this.#entries.forget(cacheKey);
  }

  /** The coordinator has told its resources. */
  catalogRefreshed(resources: Iterable<CatalogResource>): void {
    const before = this.#resources;
    this.#resources = new Map();
    for (const resource of resources) {
      const { name, stream } = resource;
      if (resource.level !== 'local' || stream === undefined || !resource.isReadable) continue;
      const { owner, cacheKey, kind } = resource;
      const definition = JSON.stringify([stream, owner, cacheKey, kind]);
      const known = before.get(name);
      const isSame = known?.definition === definition;
      this.#resources.set(name, isSame ? known : { name, stream, definition, lastId: null });
    }
    for (const known of before.values())
      if (this.#resources.get(known.name) !== known) this.#forgetResource(known, 'catalog');
    if (this.#resources.size > 0) this.#start();
  }

  close(): void {
    this.#isClosed = true;
    this.#empty('closed');
    this.#connection?.close();
    this.#wake?.();
  }

  #start(): void {
    if (this.#connection !== null) {
      this.#wake?.();
      return;
    }
    const { connect, maxLagMs } = this.#options;
    this.#connection = connect(Math.max(1, Math.floor(maxLagMs / LOOKS_PER_LAG)));
    void this.#follow(this.#connection);
  }

  /** Looks until it is closed. Never rejects. */
  async #follow(connection: InvalidationLooks): Promise<void> {
    await connection.ready();
    while (!this.#isClosed) {
      const resources = [...this.#resources.values()];
      if (resources.length === 0) await this.#pause(MAX_PAUSE_MS);
      else await this.#look(connection, resources);
    }
  }

  async #look(connection: InvalidationLooks, resources: readonly LocalResource[]): Promise<void> {
    const sentAtMs = this.#options.runtime.nowMs();
    try {
      const look = await connection.look(resources);
      if (this.#isClosed) return;
      this.#handle(resources, look, sentAtMs);
      this.#pauseMs = 0;
      // A stream that is not there yet is not waited for by the look itself.
      if (resources.every(({ lastId }) => lastId === null)) await this.#pause(FIRST_PAUSE_MS);
    } catch (error) {
      if (this.#isClosed) return;
      this.#empty('disconnected', error);
      connection.reconnect();
      this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, this.#pauseMs * 2));
      await this.#pause(this.#pauseMs);
      await connection.ready();
    }
  }

  #handle(resources: readonly LocalResource[], look: Look, sentAtMs: number): void {
    const lagMs = this.#options.runtime.nowMs() - this.#confirmedAtMs;
    if (lagMs > this.#options.maxLagMs) this.#empty('lag');
    for (const [index, resource] of resources.entries()) {
      const found = look.streams[index];
      if (found !== undefined) this.#handleStream(resource, found);
    }
    if (!look.isComplete) return;
    this.#confirmedAtMs = sentAtMs;
    const { bytes, count } = this.#entries;
    tell('lockstep:local', {
      ...{ event: 'confirmed', lagMs: Number.isFinite(lagMs) ? lagMs : null },
      ...{ bytes, entries: count },
    });
  }

  #handleStream(resource: LocalResource, { messages, newestId }: StreamLook): void {
    // The coordinators may have told another definition meanwhile.
    if (this.#resources.get(resource.name) !== resource) return;
    if (resource.lastId === null) resource.lastId = newestId;
    else if (isGap(resource.lastId, messages, newestId)) {
      this.#forgetResource(resource, 'gap');
      resource.lastId = null;
    } else {
      for (const { forget } of messages) {
        if (forget === 'all') this.#forgetResource(resource, 'told');
        else for (const cacheKey of forget) this.forget(cacheKey);
      }
      resource.lastId = messages.at(-1)?.id ?? resource.lastId;
    }
  }

  #forgetResource({ name }: LocalResource, why: Why): void {
    this.#fills.invalidateResource(name);
    this.#entries.forgetResource(name);
    tell('lockstep:local', { event: 'emptied', resource: name, why });
  }

  /** Forgets all values; unless messages go on where they were, nothing is followed any more. */
  #empty(why: Why, cause?: unknown): void {
    const isFollowing = this.#confirmedAtMs > -Infinity;
    this.#confirmedAtMs = -Infinity;
    this.#fills.invalidateAll();
    this.#entries.forgetAll();
    if (why !== 'lag') for (const resource of this.#resources.values()) resource.lastId = null;
    if (!isFollowing) return;
    const reason = cause === undefined ? {} : { reason: reasonOf(cause) };
    tell('lockstep:local', { event: 'emptied', resource: null, why, ...reason });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.runtime.inBackground(ms, () => this.#wake?.());
      this.#wake = () => {
        timer.cancel();
        this.#wake = null;
        resolve();
      };
    });
  }
}

const reasonOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause);
