/** What the page of the lab and its worker say to each other. */
import type { Progress, Report } from '@lockstep/lab';

/** The strategy or variant of this name is to be explored. */
export interface ToWorker {
  strategy: string;
}

export type FromWorker = { strategy: string } & (
  | { kind: 'progress'; progress: Progress }
  | { kind: 'report'; report: Report; tookMs: number }
  | { kind: 'fault'; message: string }
);
