import type { JsonValue } from '@lockstep/shared';
import type { Call, Operation } from './history.ts';

/**
 * What can have had one effect: an operation, or all repeats with one idempotency key. `certain` where some answer said
 * that it happened; else it may have, at any time after `invoked`, or never.
 */
export interface Effect {
  call: Call;
  certain: boolean;
  /** Place of the first invocation that may have had the effect. */
  invoked: number;
  /** Position of the first answer that named it; `Infinity` if there was none. */
  returned: number;
  /** The value that was answered, where one was. */
  answered: JsonValue | undefined;
  operations: Operation[];
}

/** Whether an operation may change its key. */
export const isWrite = (operation: Operation): boolean =>
  operation.call.op !== 'read' && operation.call.op !== 'cache-read';

/** The effects that a key's operations had or may have had, by invocation. What failed had none. */
export function effectsOf(operations: readonly Operation[]): Effect[] {
  const repeated = new Map<string, Operation[]>();
  const effects: Effect[] = [];
  for (const operation of operations) {
    if (operation.ending === 'fail') continue;
    if (operation.idempotencyKey === null || !isWrite(operation)) {
      if (isWrite(operation) || operation.ending === 'ok') effects.push(effectOf([operation]));
      continue;
    }
    const group = repeated.get(operation.idempotencyKey);
    if (group === undefined) repeated.set(operation.idempotencyKey, [operation]);
    else group.push(operation);
  }
  for (const group of repeated.values()) effects.push(effectOf(group));
  return effects.sort((a, b) => a.invoked - b.invoked);
}

function effectOf(operations: readonly Operation[]): Effect {
  const [first] = operations;
  if (first === undefined) throw new RangeError('An effect has an operation');
  let told: Operation | null = null;
  for (const operation of operations) {
    // What has an unknown outcome returned at `Infinity`.
    if (operation.returned < (told?.returned ?? Infinity)) told = operation;
  }
  return {
    call: first.call,
    certain: told !== null,
    invoked: first.invoked,
    returned: told?.returned ?? Infinity,
    answered: told?.answer.value,
    operations: [...operations],
  };
}
