/** Explores strategies in a worker, so that the page stays responsive. */
import { exploreStrategy } from '@lockstep/lab';
import type { FromWorker, ToWorker } from './explorer.ts';

self.onmessage = ({ data: { strategy } }: MessageEvent<ToWorker>) => {
  const startedMs = performance.now();
  try {
    const report = exploreStrategy(strategy, {}, (progress) => {
      tell({ strategy, kind: 'progress', progress });
    });
    tell({ strategy, kind: 'report', report, tookMs: performance.now() - startedMs });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    tell({ strategy, kind: 'fault', message });
  }
};

function tell(message: FromWorker): void {
  self.postMessage(message);
}
