export { Channel } from './channel.ts';
export type { AskedOfParent, AskedOfWorker, WorkerOrder } from './contract.ts';
export { forkWorker } from './fork-worker.ts';
export { SharedPort } from './shared-port.ts';
export { Supervisor } from './supervisor.ts';
export { workerPipe, type WorkerPipe } from './worker-pipe.ts';
