import { ERROR_CODES, isErrorCode, type RefusalReason } from '@lockstep/shared';
import type { PeerAnswer, PeerResult } from './port.ts';

/** The forwarded call whose result is judged. */
export interface JudgedCall {
  /** The member that the call was sent to. */
  instance: string;
  why: 'home' | 'lease';
  kind: 'read' | 'write';
  hasIdempotencyKey: boolean;
}

/**
 *   pass      pass the answer on to the caller
 *   here      the member did nothing, or the call changes nothing: serve it here
 *   repeat    the member may have carried it out; the idempotency key allows to ask again here
 *   unknown   the member may have carried it out, and nothing here can find out
 *   unreached the lease's member did not take it, and no other member can serve it
 */
export type ForwardDecision = 'pass' | 'here' | 'repeat' | 'unknown' | 'unreached';

/** Decides what to do with the result of a forwarded call. `ERROR_CODES` says what each refusal proves. */
export function decideOn(result: PeerResult, call: JudgedCall): ForwardDecision {
  switch (result.kind) {
    case 'not-sent':
      return call.why === 'lease' ? 'unreached' : 'here';
    case 'unanswered':
      return withoutAnswer(call);
    case 'answered':
      return onAnswer(result.answer, call);
  }
}

function withoutAnswer({ why, kind, hasIdempotencyKey }: JudgedCall): ForwardDecision {
  if (kind === 'read') return 'here';
  // Only the lease's member can carry out a write within the lease.
  return hasIdempotencyKey && why === 'home' ? 'repeat' : 'unknown';
}

function onAnswer(answer: PeerAnswer, call: JudgedCall): ForwardDecision {
  const refusal = refusalIn(answer);
  const isFromMember = answer.headers['lockstep-instance'] === call.instance;
  if (call.why === 'lease') {
    // Not passed on, because it would mislead the lease's holder: this coordinator knows its token and its resource.
    if (refusal === 'stranger') return 'unreached';
    return isFromMember || refusal !== null ? 'pass' : 'unknown';
  }
  if (refusal === 'stranger' || refusal === 'stopping') return 'here';
  // Every answer to an authenticated call of one key names the instance that gave it.
  if (isFromMember) return 'pass';
  // Refused before anyone looked at the call, for example because too many failed to authenticate.
  if (refusal !== null) return 'here';
  // Something else listens at that address.
  return withoutAnswer(call);
}

/** The reason in a problem document that says that nothing was applied; null for every other answer. */
function refusalIn({ headers, bytes }: PeerAnswer): RefusalReason | null {
  if (headers['content-type']?.startsWith('application/problem+json') !== true) return null;
  try {
    const problem: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof problem !== 'object' || problem === null) return null;
    if (!('outcome' in problem) || problem.outcome !== 'not_applied') return null;
    if (!('code' in problem) || typeof problem.code !== 'string') return null;
    // A member of a newer version may have codes that this one does not know.
    return isErrorCode(problem.code) ? ERROR_CODES[problem.code].reason : 'state';
  } catch {
    return null;
  }
}
