import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { LockstepError } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { send } from './answer.ts';
import { problemAnswer } from './problems.ts';

/** Problem documents for requests that are refused before the API sees them. */
export function createRefusals({ ids, log }: Pick<Runtime, 'ids' | 'log'>): {
  refuse: (request: IncomingMessage, response: ServerResponse, error: LockstepError) => void;
  /** As the bytes of a whole HTTP/1.1 answer, which closes its connection. */
  refusalText: (error: LockstepError) => string;
} {
  return {
    refuse: (request, response, error) => {
      const requestId = ids.next();
      send(request, response, requestId, problemAnswer(error, requestId, log));
    },
    refusalText: (error) => {
      const { status, headers = {}, body } = problemAnswer(error, ids.next(), log);
      const text = JSON.stringify(body);
      const length = String(Buffer.byteLength(text));
      const all = { ...headers, 'Content-Length': length, Connection: 'close' };
      const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
      const statusLine = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`;
      return `${[statusLine, ...lines].join('\r\n')}\r\n\r\n${text}`;
    },
  };
}
