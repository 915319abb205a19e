import type { Answer } from '@lockstep/checkers';

/** How a call ended. */
export type Ending = { e: 'ok'; answer: Answer } | { e: 'fail' | 'unknown'; code: string };
