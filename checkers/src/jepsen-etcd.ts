/**
 * The logs that Jepsen printed of its etcd test: one register, which clients read, write and compare-and-set. A line is
 * `INFO  jepsen.util - PROCESS<tab>:TYPE<tab>:OPERATION<tab>ARGUMENT`; `:info` is an unknown outcome, and a failed
 * compare-and-set found another value.
 */
import type { JsonValue } from '@lockstep/shared';
import { HistoryError, type Call, type History, type Operation } from './history.ts';

const KEY = 'register:etcd';
const LINE = /^INFO\s+jepsen\.util - (\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.*)$/;
const PAIR = /^\[(-?\d+) (-?\d+)\]$/;

/** A history from such a log's lines. @throws HistoryError naming the line */
export function parseJepsenEtcd(lines: Iterable<string>): History {
  const operations: Operation[] = [];
  const open = new Map<string, Operation>();
  let line = 0;
  let place = 0;
  for (const text of lines) {
    line += 1;
    const found = LINE.exec(text.trim());
    if (found === null) {
      if (text.trim() === '' || !text.includes('jepsen.util')) continue;
      throw new HistoryError('WRONG_EVENT', line, 'is no operation');
    }
    const [, process = '', type = '', op = '', argument = ''] = found;
    if (type === 'invoke') {
      if (open.has(process)) {
        throw new HistoryError('CLIENT_BUSY', line, `process ${process} is busy`);
      }
      const operation = invoked(operations.length + 1, process, callOf(op, argument, line), place);
      operations.push(operation);
      open.set(process, operation);
    } else {
      const operation = open.get(process);
      if (operation === undefined) {
        throw new HistoryError('UNKNOWN_ID', line, `process ${process} has nothing open`);
      }
      open.delete(process);
      complete(operation, type, argument.trim(), place, line);
    }
    place += 1;
  }
  if (operations.length === 0)
    throw new HistoryError('NOT_A_HISTORY', Math.max(line, 1), 'is no log');
  return {
    header: { lockstepHistory: 1, resources: { register: { policy: 'strict' } } },
    operations,
    initial: new Map(),
  };
}

function invoked(id: number, process: string, call: Call, place: number): Operation {
  return {
    id,
    client: Number(process),
    key: KEY,
    via: '',
    call,
    idempotencyKey: null,
    ending: 'open',
    answer: {},
    code: null,
    invoked: place,
    returned: Infinity,
    invokedAtMs: place,
    endedAtMs: Infinity,
  };
}

function complete(
  operation: Operation,
  type: string,
  argument: string,
  place: number,
  line: number,
): void {
  operation.endedAtMs = place;
  if (type === 'info') {
    operation.ending = 'unknown';
    operation.code = argument;
    return;
  }
  operation.returned = place;
  if (type === 'fail') {
    operation.ending = 'fail';
    operation.code = operation.call.op === 'cas' ? 'VALUE_MISMATCH' : argument;
    return;
  }
  operation.ending = 'ok';
  if (operation.call.op === 'read') operation.answer = { value: valueOf(argument, line) };
}

function callOf(op: string, argument: string, line: number): Call {
  if (op === 'read') return { op: 'read' };
  if (op === 'write') return { op: 'write', value: valueOf(argument.trim(), line) };
  const [, expect, value] = PAIR.exec(argument.trim()) ?? [];
  if (expect === undefined || value === undefined) {
    throw new HistoryError('WRONG_EVENT', line, `${argument} is no pair`);
  }
  return { op: 'cas', expect: Number(expect), value: Number(value) };
}

function valueOf(text: string, line: number): JsonValue {
  if (text === 'nil') return null;
  if (!/^-?\d+$/.test(text)) throw new HistoryError('WRONG_EVENT', line, `${text} is no value`);
  return Number(text);
}
