/**
 * This coordinator's place among the members, and what it knows of the others.
 *
 * States
 *   outside  not joined yet, or gone: knows nobody
 *   joined   a heartbeat at a time: each writes the own row and brings the members that the database holds for live
 *   leaving  the same, but it is home of nothing any more; its row goes at the end
 *
 * Invariants
 *   - A view is used for no longer than `expiryMs` after its heartbeat was sent, on the own monotonic clock: whoever
 *     cannot reach the database knows nobody, and serves what it gets.
 *   - At most one heartbeat is under way.
 *   - A member is this one or at an address of `peers`: a row alone makes nobody a member, since anyone who can write
 *     the table could have callers' tokens sent to an address of his choice.
 */
import { atMost, type Runtime, type Timer } from '../runtime/index.ts';
import type { Member, MembershipStore } from './port.ts';
import { type Candidate, candidate } from './rendezvous.ts';

/** Heartbeats between two removals of long dead rows. */
const BEATS_PER_PRUNE = 600;
/** Heartbeats are spread by so much: coordinators that started together do not beat together. */
const JITTER = 0.1;
/** How long an orderly stop waits for its row to go. */
const REMOVE_MS = 1_000;

export interface MembershipOptions {
  instance: string;
  store: MembershipStore;
  heartbeatMs: number;
  expiryMs: number;
  /** Addresses of the other coordinators, as origins. */
  peers: Pick<ReadonlySet<string>, 'has'>;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'random' | 'log'>;
  /** Hears of each new view the instances that are in it. */
  onMembers?: (instances: ReadonlySet<string>) => void;
}

interface View {
  sentAtMs: number;
  members: readonly Member[];
  /** Every coordinator that has a live row, listed or not. */
  present: readonly Member[];
  /** Those that may be home, in one order on every member. */
  candidates: readonly Candidate<Member>[];
}

export class Membership {
  readonly #options: MembershipOptions;
  #url = '';
  #state: 'outside' | 'joined' | 'leaving' = 'outside';
  #view: View | null = null;
  #timer: Timer | null = null;
  #beating: Promise<void> | null = null;
  #beats = 0;
  #isFailing = false;
  /** Coordinators that are not listed, when they were last told. */
  #unlisted = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  get instance(): string {
    return this.#options.instance;
  }

  /** The live members; empty while nobody knows. */
  get members(): readonly Member[] {
    return this.#fresh()?.members ?? [];
  }

  /** Every coordinator that has a live row, listed or not: nothing may be sent to these. Empty while nobody knows. */
  get present(): readonly Member[] {
    return this.#fresh()?.present ?? [];
  }

  /** Whether it is known who is a member. */
  get isKnown(): boolean {
    return this.#fresh() !== null;
  }

  /** Those that may be home. */
  get candidates(): readonly Candidate<Member>[] {
    return this.#fresh()?.candidates ?? [];
  }

  /** Resolves after the first heartbeat, whatever became of it. @param url under which others reach this one */
  async join(url: string): Promise<void> {
    this.#url = url;
    this.#state = 'joined';
    await this.#removeOwnRow();
    await this.#beat();
    this.#schedule();
  }

  /** Says, with a heartbeat of its own, that this one is home of nothing any more. */
  leave(): void {
    if (this.#state !== 'joined') return;
    this.#state = 'leaving';
    this.#timer?.cancel();
    void this.#beatAgain().then(() => this.#schedule());
  }

  /** Takes the row away, and waits a bounded time for that. Never rejects. */
  async stop(): Promise<void> {
    if (this.#state === 'outside') return;
    this.#state = 'outside';
    this.#view = null;
    this.#timer?.cancel();
    const { store, runtime, instance } = this.#options;
    const removed = this.#afterBeat()
      .then(() => store.remove(instance))
      .catch((error: unknown) =>
        runtime.log.debug({ err: error }, 'the row of this coordinator stays until it expires'),
      );
    await atMost(runtime.timers, REMOVE_MS, removed);
  }

  /** What a process of the same name left when it was killed says nothing of this one. Never rejects. */
  async #removeOwnRow(): Promise<void> {
    const { store, instance, runtime } = this.#options;
    await store.remove(instance).catch((error: unknown) => {
      runtime.log.debug({ err: error }, 'the row of an earlier coordinator may be there still');
    });
  }

  #fresh(): View | null {
    const { runtime, expiryMs } = this.#options;
    if (this.#view === null) return null;
    return runtime.clock.nowMs() - this.#view.sentAtMs < expiryMs ? this.#view : null;
  }

  #schedule(): void {
    if (this.#state === 'outside') return;
    const { runtime, heartbeatMs } = this.#options;
    const spread = 1 + JITTER * (2 * runtime.random.next() - 1);
    this.#timer = runtime.timers.after(heartbeatMs * spread, () => {
      void this.#beat().then(() => this.#schedule());
    });
  }

  /** A heartbeat that begins now, after the one under way. */
  async #beatAgain(): Promise<void> {
    await this.#afterBeat();
    await this.#beat();
  }

  async #afterBeat(): Promise<void> {
    await this.#beating;
  }

  /** Never rejects. */
  #beat(): Promise<void> {
    this.#beating ??= this.#beatNow().finally(() => (this.#beating = null));
    return this.#beating;
  }

  async #beatNow(): Promise<void> {
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
          'a heartbeat failed; without them this one routes nothing',
        );
      }
      this.#isFailing = true;
    }
  }

  #see(sentAtMs: number, members: readonly Member[]): void {
    if (this.#state === 'outside') return;
    const { peers } = this.#options;
    const listed = members.filter((member) => member.isSelf || peers.has(member.url));
    if (listed.length < members.length) this.#nameUnlisted(members.length - listed.length);
    const inOrder = listed.sort((a, b) => (a.instance < b.instance ? -1 : 1));
    const candidates = candidatesAmong(inOrder);
    this.#view = { sentAtMs, members: inOrder, present: members, candidates };
    this.#options.onMembers?.(new Set(inOrder.map(({ instance }) => instance)));
  }

  /** Once for each number: what the rows say is not repeated, since anybody may have written them. */
  #nameUnlisted(count: number): void {
    if (this.#unlisted === count) return;
    this.#unlisted = count;
    this.#options.runtime.log.info(
      { count },
      'other coordinators are on this database whose addresses are not in routing.peers: nothing is sent to them',
    );
  }
}

/**
 * By address: a coordinator that is started again at the same one is home of the same keys. While the row of its last
 * life has not expired, the younger one is it.
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
