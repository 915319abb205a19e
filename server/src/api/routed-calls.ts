import type { IncomingMessage } from 'node:http';
import { ERROR_CODES } from '@lockstep/shared';
import { LockstepError, toLockstepError, type Key } from '../domain/index.ts';
import {
  FORWARDED_BY,
  FORWARDED_TO,
  type Forwarded,
  type Member,
  type Plan,
  type Router,
} from '../routing/index.ts';
import type { PassedAnswer } from './answer.ts';
import type { Call } from './endpoint-frame.ts';
import type { Preconditions } from './preconditions.ts';

const FORWARDED_BY_FIELD = FORWARDED_BY.toLowerCase();
const FORWARDED_TO_FIELD = FORWARDED_TO.toLowerCase();

type Conditions = Pick<Preconditions, 'idempotencyKey' | 'waitTimeoutMs' | 'leaseId'>;

/** What an endpoint needs to have its call answered by another instance. */
export interface RoutedCall {
  request: IncomingMessage;
  call: Call;
  kind: 'read' | 'write';
  conditions: Conditions;
  /** The body, read once; null if the call has none. */
  body: () => Promise<Buffer | null>;
}

/** Routing as the endpoints see it: where a call belongs, and answers from other instances. */
export class RoutedCalls {
  readonly #router: Router;
  readonly #stamp: Readonly<Record<string, string>>;

  constructor(router: Router) {
    this.#router = router;
    this.#stamp = { 'Lockstep-Instance': router.instance };
  }

  /**
   * Where to serve a call of one key. The answer's headers say which instance serves it and where the key's home is.
   * @throws LockstepError `MISDIRECTED`, and those of `Router.plan`
   */
  planKey({ request, call, conditions }: RoutedCall, key: Key): Plan {
    call.stamp = this.#stamp;
    this.#checkAddressee(request);
    const isForwarded = isForwardedCall(request);
    const plan = this.#router.plan(key, { isForwarded, leaseId: conditions.leaseId });
    if (plan.home !== null) {
      call.stamp = { ...this.#stamp, 'Lockstep-Home': this.#router.shownUrl(plan.home) };
    }
    return plan;
  }

  /** Where to serve a call about a lease. @throws LockstepError as `planKey` */
  planLease({ request, call }: RoutedCall, leaseId: string): Plan {
    call.stamp = this.#stamp;
    this.#checkAddressee(request);
    return this.#router.planLease(leaseId, { isForwarded: isForwardedCall(request) });
  }

  /**
   * Answers the call where its plan says. If that is here, or the other instance cannot, `serve` answers it here. `serve`
   * gets what is left of the bound on the wait for the key if the other instance has used some of it.
   * @throws LockstepError as `serve`, and as `Router.forward`
   */
  async answer<T>(
    plan: Plan,
    routed: RoutedCall,
    serve: (waitLeftMs?: number) => Promise<T>,
  ): Promise<T | PassedAnswer> {
    const { to } = plan;
    if (to === null) return serve();
    const forwarded = await this.#forward({ ...plan, to }, routed);
    if (forwarded.kind === 'answered') return forwarded.answer;
    const { kind, waitLeftMs } = forwarded;
    return kind === 'repeat' ? repeated(() => serve(waitLeftMs)) : serve(waitLeftMs);
  }

  /** The address that a call was sent to may belong to another cluster by now, or to a restarted member. */
  #checkAddressee({ headers }: IncomingMessage): void {
    const addressee = headers[FORWARDED_TO_FIELD];
    if (addressee === undefined || addressee === this.#router.instance) return;
    throw new LockstepError(
      'MISDIRECTED',
      'This call was meant for another instance, which was at this address before.',
    );
  }

  async #forward(plan: Plan & { to: Member }, routed: RoutedCall): Promise<Forwarded> {
    const { request, call, kind, conditions } = routed;
    const { method = 'GET', rawHeaders } = request;
    return this.#router.forward(plan, {
      method,
      target: request.url ?? '',
      rawHeaders,
      body: await routed.body(),
      requestId: call.requestId,
      kind,
      hasIdempotencyKey: conditions.idempotencyKey !== undefined,
      waitTimeoutMs: conditions.waitTimeoutMs,
    });
  }
}

/**
 * The first sending may still be carried out, so a failure here does not prove that nothing was or will be applied. Only
 * a refusal of the request itself does: the first sending met it too.
 */
async function repeated<T>(serve: () => Promise<T>): Promise<T> {
  try {
    return await serve();
  } catch (cause) {
    const error = toLockstepError(cause);
    if (error.code === 'INTERNAL' || ERROR_CODES[error.code].reason === 'request') throw cause;
    throw new LockstepError(
      'OUTCOME_UNKNOWN',
      'The write was sent to another instance, which gave no answer; repeated here it met no certain outcome either.',
      { cause },
    );
  }
}

export const isForwardedCall = ({ headers }: IncomingMessage): boolean =>
  headers[FORWARDED_BY_FIELD] !== undefined;
