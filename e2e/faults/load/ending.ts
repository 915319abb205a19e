import type { Answer } from '@lockstep/checkers';

/**
 * How a call ended.
 * `isRepeated`: the client may have sent it more than once, so that the answer may be a repeat's.
 */
export type Ending =
  { e: 'ok'; answer: Answer; isRepeated?: boolean } | { e: 'fail' | 'unknown'; code: string };
