/** A worker: one of several processes of a coordinator that listen on one port (`--workers`). */
import { runWorker } from './coordinator/index.ts';
import { workerPipe } from './workers/index.ts';

const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort());
// A terminal sends it to all processes; the parent process then stops its workers.
process.on('SIGINT', () => undefined);
process.on('SIGHUP', () => undefined);

runWorker({
  pipe: workerPipe(process),
  env: process.env,
  signal: stopping.signal,
  exit: (code) => process.exit(code),
});
