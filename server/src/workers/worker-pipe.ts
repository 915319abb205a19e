import { Socket } from 'node:net';
import type { Pipe } from './channel.ts';
import { CONNECTION, isOfKind, TAKEN } from './fork-worker.ts';

/** A worker's end of the pipe to its parent process. */
export interface WorkerPipe extends Pipe {
  /** Connections of the common port that this worker is to serve. */
  onConnection(listener: (socket: Socket) => void): void;
}

/** @param process of the worker. It ends when its parent has. */
export function workerPipe(process: NodeJS.Process): WorkerPipe {
  const send = (message: object): void => {
    if (process.connected) process.send?.(message);
  };
  process.on('disconnect', () => process.exit(1));
  return {
    send,
    onMessage: (listener) =>
      void process.on('message', (message) => {
        if (!isOfKind(message, CONNECTION)) listener(message);
      }),
    onConnection: (listener) =>
      void process.on('message', (message, socket) => {
        if (!isOfKind(message, CONNECTION)) return;
        // There is none if the caller has closed it meanwhile.
        if (socket instanceof Socket) listener(socket);
        send(TAKEN);
      }),
  };
}
