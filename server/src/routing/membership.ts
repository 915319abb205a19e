/**
 * This coordinator's place among the members, and what it knows about the others.
 *
 * States
 *   outside  not joined yet, or gone; it knows nobody
 *   joined   sends heartbeats: each one writes the coordinator's own row and reads the members that the database
 *            considers live
 *   leaving  still sends heartbeats, but is home of no key any more; its row is removed at the end
 *
 * Invariants
 *   - A view is used for no longer than `expiryMs` after its heartbeat was sent, by this process's monotonic clock. A
 *     coordinator that cannot reach the database knows nobody, and serves the calls that it gets.
 *   - At most one heartbeat is in flight.
 *   - A member is this coordinator or one at an address in `peers`. A row alone makes nobody a member: anyone who can
 *     write the table could otherwise have callers' tokens sent to an address of their choice.
 */
import { BackgroundLoop } from '../jobs/index.ts';
import { atMost, type Runtime } from '../runtime/index.ts';
import type { Member, MembershipStore } from './port.ts';
import { type Candidate, candidate } from '../domain/index.ts';

/** Heartbeats between two removals of rows of long dead members. */
const BEATS_PER_PRUNE = 600;
/** Intervals differ by up to this share, so that coordinators that started together do not beat together. */
const JITTER = 0.1;
/** How long an orderly stop waits for its row to be removed. */
const REMOVE_MS = 1_000;

export interface MembershipOptions {
  instance: string;
  store: MembershipStore;
  heartbeatMs: number;
  expiryMs: number;
  /** Addresses of the other coordinators, as origins. */
  peers: Pick<ReadonlySet<string>, 'has'>;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'random' | 'log'>;
  /** Called for each new view with the instances in it. */
  onMembers?: (instances: ReadonlySet<string>) => void;
}

interface View {
  sentAtMs: number;
  members: readonly Member[];
  /** Every coordinator that has a live row, listed or not. */
  present: readonly Member[];
  /** Those that may be home of a key, in the same order on every member. */
  candidates: readonly Candidate<Member>[];
}

export class Membership {
  readonly #options: MembershipOptions;
  #url = '';
  #state: 'outside' | 'joined' | 'leaving' = 'outside';
  #view: View | null = null;
  readonly #heartbeats: BackgroundLoop;
  #beats = 0;
  #isFailing = false;
  /** How many coordinators were not listed when that was last logged. */
  #unlisted = 0;

  constructor(options: MembershipOptions) {
    const { heartbeatMs, runtime } = options;
    this.#options = options;
    this.#heartbeats = new BackgroundLoop({
      pass: async () => {
        await this.#beat();
        return heartbeatMs * (1 + JITTER * (2 * runtime.random.next() - 1));
      },
      backoff: { minMs: heartbeatMs, maxMs: heartbeatMs, jitter: 'equal' },
      onFailure: (error) => runtime.log.error({ err: error }, 'a heartbeat failed unexpectedly'),
      runtime,
    });
  }

  get instance(): string {
    return this.#options.instance;
  }

  /** The live members; empty while they are not known. */
  get members(): readonly Member[] {
    return this.#fresh()?.members ?? [];
  }

  /** Every coordinator that has a live row, also at an unlisted address; nothing may be sent to those. Empty while they are not known. */
  get present(): readonly Member[] {
    return this.#fresh()?.present ?? [];
  }

  /** Whether it is known who is a member. */
  get isKnown(): boolean {
    return this.#fresh() !== null;
  }

  /** The members that may be home of a key. */
  get candidates(): readonly Candidate<Member>[] {
    return this.#fresh()?.candidates ?? [];
  }

  /** Resolves after the first heartbeat, successful or not. @param url where others reach this coordinator */
  async join(url: string): Promise<void> {
    this.#url = url;
    this.#state = 'joined';
    await this.#removeOwnRow();
    if (this.#isOutside()) return; // stopped meanwhile
    this.#heartbeats.start();
    await this.#heartbeats.wakeAndWait();
  }

  /** Resolves after a further heartbeat, successful or not. */
  refresh(): Promise<void> {
    return this.#heartbeats.wakeAndWait();
  }

  /** Announces with an extra heartbeat that this coordinator is no longer home of any key. */
  leave(): void {
    if (this.#state !== 'joined') return;
    this.#state = 'leaving';
    this.#heartbeats.wake();
  }

  /** Removes the own row, and waits a bounded time for that. Never rejects. */
  async stop(): Promise<void> {
    if (this.#state === 'outside') return;
    this.#state = 'outside';
    this.#view = null;
    const { store, runtime, instance } = this.#options;
    const removed = this.#heartbeats
      .stop()
      .then(() => store.remove(instance))
      .catch((error: unknown) =>
        runtime.log.debug({ err: error }, 'the row of this coordinator stays until it expires'),
      );
    await atMost(runtime.timers, REMOVE_MS, removed);
  }

  /** Removes the row that a killed process of the same name may have left. Never rejects. */
  async #removeOwnRow(): Promise<void> {
    const { store, instance, runtime } = this.#options;
    await store.remove(instance).catch((error: unknown) => {
      runtime.log.debug({ err: error }, 'the row of an earlier coordinator may still be there');
    });
  }

  #isOutside(): boolean {
    return this.#state === 'outside';
  }

  #fresh(): View | null {
    const { runtime, expiryMs } = this.#options;
    if (this.#view === null) return null;
    return runtime.clock.nowMs() - this.#view.sentAtMs < expiryMs ? this.#view : null;
  }

  /** Never rejects. */
  async #beat(): Promise<void> {
    const { store, instance, expiryMs, runtime } = this.#options;
    if (this.#state === 'outside') return;
    const sentAtMs = runtime.clock.nowMs();
    const isLeaving = this.#state === 'leaving';
    try {
      const members = await store.beat({ instance, url: this.#url, expiryMs, isLeaving });
      this.#see(sentAtMs, members);
      this.#beats += 1;
      if (this.#beats % BEATS_PER_PRUNE === 1) await store.prune();
      if (this.#isFailing) runtime.log.info({}, 'heartbeats reach the database again');
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) {
        runtime.log.warn(
          { err: error },
          'a heartbeat failed; without heartbeats this coordinator routes nothing',
        );
      }
      this.#isFailing = true;
    }
  }

  #see(sentAtMs: number, members: readonly Member[]): void {
    if (this.#state === 'outside') return;
    const { peers } = this.#options;
    const listed = members.filter((member) => member.isSelf || peers.has(member.url));
    if (listed.length < members.length) this.#logUnlisted(members.length - listed.length);
    const inOrder = listed.sort((a, b) => (a.instance < b.instance ? -1 : 1));
    const candidates = candidatesAmong(inOrder);
    this.#view = { sentAtMs, members: inOrder, present: members, candidates };
    this.#options.onMembers?.(new Set(inOrder.map(({ instance }) => instance)));
  }

  /** Logs each number once. The rows themselves are not logged: anyone may have written them. */
  #logUnlisted(count: number): void {
    if (this.#unlisted === count) return;
    this.#unlisted = count;
    this.#options.runtime.log.info(
      { count },
      'other coordinators are on this database whose addresses are not in routing.peers: nothing is sent to them',
    );
  }
}

/**
 * One candidate for each address: a coordinator that starts again at the same address is home of the same keys. While
 * the row of the former process has not expired, the younger one counts.
 */
function candidatesAmong(members: readonly Member[]): Candidate<Member>[] {
  const youngest = new Map<string, Member>();
  for (const member of members) {
    const other = youngest.get(member.url);
    if (other === undefined || member.upMs < other.upMs) youngest.set(member.url, member);
  }
  return [...youngest.values()]
    .filter(({ isLeaving }) => !isLeaving)
    .map((member) => candidate(member, member.url));
}
