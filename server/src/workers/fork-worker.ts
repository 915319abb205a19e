import { fork } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Runtime } from '../runtime/index.ts';
import { type Answers, Channel } from './channel.ts';
import type { AskedOfParent, AskedOfWorker } from './contract.ts';
import type { WorkerProcess } from './supervisor.ts';

/** The message that goes with a connection, and the one that says that it has arrived. */
export const CONNECTION = { kind: 'connection' } as const;
export const TAKEN = { kind: 'taken' } as const;

/** Whether a message between the processes is of this kind. */
export const isOfKind = (message: unknown, { kind }: { kind: string }): boolean =>
  typeof message === 'object' && message !== null && 'kind' in message && message.kind === kind;

/**
 * Starts the process of a worker.
 * @param program the built program of a worker
 */
export function forkWorker(
  program: string,
  answers: Answers<AskedOfParent>,
  runtime: Runtime,
): WorkerProcess {
  const child = fork(program, [], { serialization: 'advanced' });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`),
    );
  });
  const noteFault = (error: Error | null): void => {
    if (error !== null) runtime.log.debug({ err: error }, 'a message did not reach a worker');
  };
  const send = (message: object, socket?: Socket): void => {
    if (child.connected) child.send(message, socket, {}, noteFault);
    else socket?.destroy();
  };
  const onTaken: (() => void)[] = [];
  child.on('message', (message) => {
    if (isOfKind(message, TAKEN)) onTaken.shift()?.();
  });
  const pipe = {
    send: (message: object) => send(message),
    onMessage: (listener: (message: unknown) => void) =>
      void child.on('message', (message) => {
        if (!isOfKind(message, TAKEN)) listener(message);
      }),
  };
  return {
    pid: child.pid ?? 0,
    channel: new Channel<AskedOfWorker, AskedOfParent>(pipe, answers, runtime),
    ended,
    hand: (socket, taken) => {
      onTaken.push(taken);
      send(CONNECTION, socket);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
