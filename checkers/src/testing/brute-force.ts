/** Judges one tiny register history by trying every order: the plainest statement of what the value checker must say. */
import { isJsonObject, type JsonValue } from '@lockstep/shared';
import { canonical, type History, type Operation } from '../history.ts';

/** Whether some order of the operations explains their answers. For at most about ten operations of one key. */
export function hasOrder(history: History): boolean {
  const told = history.operations.filter(tells);
  const key = told[0]?.key ?? '';
  return search(told, history.initial.get(key)?.value ?? null);
}

/** A read that was not answered, and most refusals, say nothing. */
function tells({ call, ending, answer, code }: Operation): boolean {
  const isRead = call.op === 'read' || call.op === 'cache-read';
  if (isRead) return ending === 'ok' && answer.value !== undefined;
  if (ending !== 'fail') return true;
  if (call.op === 'cas') return code === 'VALUE_MISMATCH' && call.expect !== undefined;
  return code === 'NOT_FOUND' && call.op !== 'write';
}

function search(left: readonly Operation[], value: JsonValue): boolean {
  if (left.every(({ returned }) => returned === Infinity)) return true;
  const end = Math.min(...left.map(({ returned }) => returned));
  return left.some((operation) => {
    if (operation.invoked >= end) return false;
    const after = apply(operation, value);
    if (after === undefined) return false;
    return search(
      left.filter((each) => each !== operation),
      after,
    );
  });
}

/** The value after the operation; `undefined` where it would have been answered otherwise. */
function apply(operation: Operation, value: JsonValue): JsonValue | undefined {
  const { call, ending, answer } = operation;
  if (ending === 'fail') return refusalFits(operation, value) ? value : undefined;
  const after = effect(call, value);
  const isAnswered = ending === 'ok' && answer.value !== undefined;
  if (after === undefined || !isAnswered) return after;
  return canonical(after) === canonical(answer.value ?? null) ? after : undefined;
}

function refusalFits({ call }: Operation, value: JsonValue): boolean {
  if (call.op === 'cas') return canonical(call.expect ?? null) !== canonical(value);
  return value === null;
}

function effect(call: Operation['call'], value: JsonValue): JsonValue | undefined {
  switch (call.op) {
    case 'read':
    case 'cache-read':
      return value;
    case 'write':
      return call.value;
    case 'cas':
      if (call.expect !== undefined && canonical(call.expect) !== canonical(value))
        return undefined;
      return call.value;
    case 'delete':
      return value === null ? undefined : null;
    case 'increment': {
      if (call.field === undefined) return typeof value === 'number' ? value + call.by : undefined;
      if (!isJsonObject(value)) return undefined;
      const number = value[call.field];
      return typeof number === 'number' ? { ...value, [call.field]: number + call.by } : undefined;
    }
  }
}
