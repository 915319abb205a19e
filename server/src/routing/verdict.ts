import type { PeerAnswer, PeerResult } from './port.ts';

/** What the verdict on a forwarded call depends on besides its result. */
export interface VerdictFacts {
  /** The member that the call was sent to. */
  instance: string;
  why: 'home' | 'lease';
  kind: 'read' | 'write';
  hasIdempotencyKey: boolean;
}

/**
 *   pass      the answer is the caller's
 *   here      nothing was carried out there, or it changes nothing: serve it here
 *   repeat    it may have been carried out there; the idempotency key lets it be asked again here
 *   unknown   it may have been carried out there, and nothing here can tell
 *   unreached the lease's member did not take it, and no other one can serve it
 */
export type Verdict = 'pass' | 'here' | 'repeat' | 'unknown' | 'unreached';

/**
 * Refusals that say more of the member than of the call: it stops, another one has its address by now, or it is
 * configured otherwise (other tokens, fewer resources). Nothing was carried out, and this one can serve the call.
 */
const OF_THE_MEMBER = new Set([
  'SHUTTING_DOWN',
  'MISDIRECTED',
  'UNAUTHENTICATED',
  'UNKNOWN_RESOURCE',
]);
/** Those that would tell the holder of a lease what is not so: its token, or its resource, is known here. */
const NOT_OF_THE_LEASE = new Set(['MISDIRECTED', 'UNAUTHENTICATED', 'UNKNOWN_RESOURCE']);

/** What to do with the result of forwarding a call. */
export function verdictOn(result: PeerResult, facts: VerdictFacts): Verdict {
  switch (result.kind) {
    case 'not-sent':
      return facts.why === 'lease' ? 'unreached' : 'here';
    case 'unanswered':
      return withoutAnswer(facts);
    case 'answered':
      return onAnswer(result.answer, facts);
  }
}

function withoutAnswer({ why, kind, hasIdempotencyKey }: VerdictFacts): Verdict {
  if (kind === 'read') return 'here';
  // Within a lease the write can be carried out nowhere else.
  return hasIdempotencyKey && why === 'home' ? 'repeat' : 'unknown';
}

function onAnswer(answer: PeerAnswer, facts: VerdictFacts): Verdict {
  const refusal = refusalIn(answer);
  const isFromMember = answer.headers['lockstep-instance'] === facts.instance;
  if (facts.why === 'lease') {
    if (refusal !== null && NOT_OF_THE_LEASE.has(refusal)) return 'unreached';
    return isFromMember || refusal !== null ? 'pass' : 'unknown';
  }
  if (refusal !== null && OF_THE_MEMBER.has(refusal)) return 'here';
  // Every answer to an authenticated call of one key names who gave it.
  if (isFromMember) return 'pass';
  // Refused before it was looked at, for example because too many failed to authenticate.
  if (refusal !== null) return 'here';
  // Something else listens at that address.
  return withoutAnswer(facts);
}

/** The code of a problem document that says that nothing was applied; null where the answer is none. */
function refusalIn({ headers, bytes }: PeerAnswer): string | null {
  if (headers['content-type']?.startsWith('application/problem+json') !== true) return null;
  try {
    const problem: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof problem !== 'object' || problem === null) return null;
    if (!('outcome' in problem) || problem.outcome !== 'not_applied') return null;
    return 'code' in problem && typeof problem.code === 'string' ? problem.code : null;
  } catch {
    return null;
  }
}
