/**
 * Decides where each call is served, and sends on those that are served elsewhere.
 *
 * Invariants
 *   - A call is forwarded at most once: one that another member has forwarded is served where it arrives.
 *   - It goes only to addresses from the members' table, never to one that a request names.
 *   - At most `maxForwards` calls are in flight to each member; further ones are served here.
 *   - A write is answered as not applied, or served here, only where the member did nothing of it.
 */
import { hash64, highest, LockstepError, type Key } from '../domain/index.ts';
import { instanceOfLease } from '../leases/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { CallsInFlight } from './calls-in-flight.ts';
import { CircuitBreakers } from './circuit-breakers.ts';
import { decideOn } from './forward-decision.ts';
import type { Membership } from './membership.ts';
import type {
  CallFacts,
  Forwarded,
  ForwardedCall,
  Member,
  PeerResult,
  Peers,
  Plan,
  RoutingMode,
} from './port.ts';

/** A read that its home does not answer in this time is served here. */
const READ_ANSWER_MS = 1_000;
/** Added to the longest time that the member itself allows a write. */
const ANSWER_SLACK_MS = 1_000;
/** Names the member that forwarded a call. A caller may set it too; the call is then served where it arrives. */
export const FORWARDED_BY = 'Lockstep-Forwarded-By';
/** Names the instance that a forwarded call is for. Another one at the same address refuses it (`MISDIRECTED`). */
export const FORWARDED_TO = 'Lockstep-Forwarded-To';
/** A call that comes back from its home waits at least this long for its key here, however long it waited there. */
const LEAST_WAIT_MS = 250;

/** How calls were routed; `add` counts one. */
export interface RoutingCounts {
  add(result: 'served' | 'forwarded' | 'fallback' | 'unanswered'): void;
  forwardTook(durationMs: number): void;
}

export interface RouterOptions {
  mode: RoutingMode;
  membership: Membership;
  peers: Peers;
  /** The most calls in flight to one member. */
  maxForwards: number;
  /** The longest wait for a key, if the caller sets none. */
  waitTimeoutMs: number;
  /** The longest that one caller may hold a lock. */
  maxHoldMs: number;
  /** True once this instance is stopping: it forwards nothing more. */
  draining: () => boolean;
  counts: RoutingCounts;
  /** The address that callers are told of a member whose address is this. Default: the same. */
  shownUrl?: (url: string) => string;
  runtime: Pick<Runtime, 'clock' | 'log'>;
}

/** Does not count as a failure of the member. */
const TOO_MANY: PeerResult = { kind: 'not-sent', reason: 'too many calls are in flight to it' };

export class Router {
  readonly instance: string;
  readonly mode: RoutingMode;
  readonly #options: RouterOptions;
  readonly #inFlight: CallsInFlight;
  readonly #breakers: CircuitBreakers;

  constructor(options: RouterOptions) {
    const { membership, mode, runtime, maxForwards } = options;
    this.instance = membership.instance;
    this.mode = mode;
    this.#options = options;
    this.#breakers = new CircuitBreakers(runtime.clock);
    this.#inFlight = new CallsInFlight(maxForwards);
  }

  /** The live members, this one among them; empty while the database does not answer. */
  members(): readonly Member[] {
    return this.#options.membership.members;
  }

  /** Where callers reach a member. */
  shownUrl({ url }: Member): string {
    return this.#options.shownUrl?.(url) ?? url;
  }

  /** The members changed: calls in flight to those that are gone get no answer. */
  membersAre(instances: ReadonlySet<string>): void {
    this.#inFlight.keepOnly(instances);
  }

  /** The home of a key; null while it is not known. */
  homeOf(key: Key): Member | null {
    const { candidates } = this.#options.membership;
    const [only] = candidates;
    if (candidates.length <= 1) return only?.item ?? null;
    return highest(candidates, hash64(`${key.rows}\0${key.rowText}`));
  }

  /** @throws LockstepError `DATABASE_UNAVAILABLE` if it is not known now which member granted the lease */
  plan(key: Key, { isForwarded, leaseId }: CallFacts): Plan {
    const home = elsewhere(this.homeOf(key));
    const { mode, draining, counts } = this.#options;
    if (leaseId !== undefined) {
      const { to } = this.planLease(leaseId, { isForwarded });
      if (to !== null) return { to, why: 'lease', home };
    }
    const wants = mode === 'forward' && leaseId === undefined && !isForwarded && !draining();
    if (!wants || home === null) {
      counts.add('served');
      return { to: null, why: 'home', home };
    }
    if (!this.#breakers.isOpen(home.instance) && this.#inFlight.hasRoom(home.instance)) {
      return { to: home, why: 'home', home };
    }
    counts.add('fallback');
    return { to: null, why: 'home', home };
  }

  /** The plan of a call about a lease itself; the lease's id names its member. @throws LockstepError as `plan` */
  planLease(leaseId: string, { isForwarded }: Pick<CallFacts, 'isForwarded'>): Plan {
    const here: Plan = { to: null, why: 'lease', home: null };
    const instance = instanceOfLease(leaseId);
    if (isForwarded || instance === null || instance === this.instance) return here;
    const { membership } = this.#options;
    if (!membership.isKnown) {
      throw new LockstepError(
        'DATABASE_UNAVAILABLE',
        'The database does not say where the instance is that granted this lease.',
      );
    }
    const to = membership.members.find((member) => member.instance === instance) ?? null;
    return { ...here, to };
  }

  /**
   * @throws LockstepError `OUTCOME_UNKNOWN` if a write was sent and no answer came, `LOCK_TIMEOUT` if a lease's member is
   *   not reached
   */
  async forward({ to, why }: Plan & { to: Member }, call: ForwardedCall): Promise<Forwarded> {
    const { counts, runtime } = this.#options;
    const startedAtMs = runtime.clock.nowMs();
    const result = await this.#send(to, call);
    const decision = decideOn(result, { ...call, why, instance: to.instance });
    const tookMs = runtime.clock.nowMs() - startedAtMs;
    if (decision === 'pass' && result.kind === 'answered') {
      counts.add('forwarded');
      counts.forwardTook(tookMs);
      return { kind: 'answered', answer: result.answer };
    }
    this.#note(to, result);
    const isLost = decision === 'unknown' || decision === 'unreached';
    counts.add(isLost ? 'unanswered' : 'fallback');
    if (isLost) throw lostCall(to, decision, reasonOf(result));
    const waitMs = call.waitTimeoutMs ?? this.#options.waitTimeoutMs;
    const waitLeftMs = Math.max(Math.min(waitMs, LEAST_WAIT_MS), Math.floor(waitMs - tookMs));
    return { kind: decision === 'repeat' ? 'repeat' : 'here', waitLeftMs };
  }

  async #send(to: Member, call: ForwardedCall): Promise<PeerResult> {
    const { peers, membership } = this.#options;
    const started = this.#inFlight.begin(to.instance);
    if (started === null) return TOO_MANY;
    const extraHeaders = {
      [FORWARDED_BY]: membership.instance,
      [FORWARDED_TO]: to.instance,
      'X-Request-Id': call.requestId,
    };
    try {
      return await peers.send(
        to.url,
        { ...call, extraHeaders },
        this.#timeoutMs(call),
        started.signal,
      );
    } finally {
      started.end();
    }
  }

  #timeoutMs({ kind, waitTimeoutMs }: ForwardedCall): number {
    if (kind === 'read') return READ_ANSWER_MS;
    const { maxHoldMs } = this.#options;
    return (waitTimeoutMs ?? this.#options.waitTimeoutMs) + maxHoldMs + ANSWER_SLACK_MS;
  }

  #note({ instance, url }: Member, result: PeerResult): void {
    if (result === TOO_MANY) return;
    const reason = reasonOf(result);
    const isNew = this.#breakers.open(instance);
    const { log } = this.#options.runtime;
    const say = isNew && result.kind === 'answered' ? log.warn.bind(log) : log.debug.bind(log);
    say({ member: instance, url, reason }, 'a call could not be forwarded');
  }
}

const reasonOf = (result: PeerResult): string =>
  result.kind === 'answered' ? `it answered ${result.answer.status}` : result.reason;

function lostCall(
  { instance }: Member,
  decision: 'unknown' | 'unreached',
  reason: string,
): LockstepError {
  if (decision === 'unreached') {
    return new LockstepError(
      'LOCK_TIMEOUT',
      `The instance that granted this lease, ${instance}, did not take the call: ${reason}.`,
    );
  }
  return new LockstepError(
    'OUTCOME_UNKNOWN',
    'The write was sent to another instance, which gave no answer.',
  );
}

const elsewhere = (home: Member | null): Member | null =>
  home === null || home.isSelf ? null : home;
