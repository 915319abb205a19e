import type { History, Operation } from './history.ts';

/** A history's operations by their key, each list by invocation. */
export function operationsByKey(history: History): Map<string, Operation[]> {
  const found = new Map<string, Operation[]>();
  for (const operation of history.operations) {
    const same = found.get(operation.key);
    if (same === undefined) found.set(operation.key, [operation]);
    else same.push(operation);
  }
  return found;
}
