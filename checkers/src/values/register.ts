/**
 * One key as a search problem: a register whose history is made of small integers.
 *
 * `certain` operations happened, each between its invocation and its return; they are numbered by return, and that
 * number is their rank. `possible` ones may take effect once at any time after their invocation, or never; those with
 * the same step are interchangeable, so only how many of them were used matters, and the oldest are used first.
 */
import { canonical, resourceOf, type History, type Operation } from '../history.ts';
import { effectsOf, type Effect } from '../repeats.ts';
import { IMPOSSIBLE, States } from './states.ts';

/** What an operation needs of the state before it, and makes of it. */
export type Step =
  /** Saw this state. */
  | { kind: 'saw'; state: number }
  /** Saw any state but this one. */
  | { kind: 'saw-other'; state: number }
  /** Makes this state of any. */
  | { kind: 'set'; state: number }
  /** Makes this state of that one. */
  | { kind: 'swap'; before: number; state: number }
  /** Adds to a number; `before` is the state that its answer says it met, `null` where there was no answer. */
  | { kind: 'add'; by: number; field: string | undefined; before: number | null }
  /** Makes `absent` of any other state. */
  | { kind: 'remove' };

export interface CertainOperation {
  step: Step;
  invoked: number;
  returned: number;
  operations: Operation[];
}

export interface PossibleOperations {
  step: Step;
  /** Places of their invocations, ascending. */
  invoked: number[];
}

export interface Register {
  key: string;
  states: States;
  initial: number;
  /** By return. */
  certain: CertainOperation[];
  possible: PossibleOperations[];
}

/** An answer that contradicts its own question; no order explains it. */
export interface Contradiction {
  message: string;
  operations: Operation[];
}

/** A register from a key's operations, or what is wrong with one of its answers. */
export function registerOf(
  key: string,
  operations: readonly Operation[],
  history: History,
): Register | Contradiction {
  const judged = operations.filter((operation) => isJudged(operation, history));
  const effects = effectsOf(judged);
  const states = new States(incrementedFields(effects));
  const register: Register = {
    key,
    states,
    initial: states.of(history.initial.get(key)?.value ?? null),
    certain: refusals(judged, states),
    possible: [],
  };
  const possible = new Map<string, PossibleOperations>();
  for (const effect of effects) {
    const wrong = contradiction(effect);
    if (wrong !== null) return { message: wrong, operations: effect.operations };
    const step = stepOf(effect, states);
    if (step === null) return { message: NO_NUMBER, operations: effect.operations };
    if (effect.certain) register.certain.push({ ...effect, step });
    else addPossible(possible, step, effect);
  }
  register.certain.sort((a, b) => a.returned - b.returned);
  register.possible = [...possible.values()];
  return register;
}

const NO_NUMBER = 'an increment was answered with something that is not a number';

/**
 * Only a strict resource promises one order for all reads. Elsewhere what the cache answers may be older; the writes
 * and the reads that went to the primary database have one order everywhere.
 */
function isJudged(operation: Operation, history: History): boolean {
  const { call, answer } = operation;
  if (call.op !== 'read' && call.op !== 'cache-read') return true;
  if (answer.value === undefined) return false;
  if (history.header.resources[resourceOf(operation.key)]?.policy === 'strict') return true;
  return call.op === 'read' && (call.primary === true || answer.source === 'primary');
}

function incrementedFields(effects: readonly Effect[]): Set<string> {
  const fields = new Set<string>();
  for (const { call } of effects) if (call.op === 'increment') fields.add(call.field ?? '');
  return fields;
}

/** What a refusal says about the value: the row was missing, or was not the expected one. */
function refusals(operations: readonly Operation[], states: States): CertainOperation[] {
  const found: CertainOperation[] = [];
  for (const operation of operations) {
    const { call, code, invoked, returned } = operation;
    // One of several repeats may have been refused before another one applied.
    if (operation.ending !== 'fail' || operation.idempotencyKey !== null) continue;
    let step: Step | null = null;
    if (code === 'NOT_FOUND' && (call.op === 'increment' || call.op === 'delete')) {
      step = { kind: 'saw', state: states.absent };
    }
    if (code === 'VALUE_MISMATCH' && call.op === 'cas' && call.expect !== undefined) {
      step = { kind: 'saw-other', state: states.of(call.expect) };
    }
    if (step !== null) found.push({ step, invoked, returned, operations: [operation] });
  }
  return found;
}

function contradiction({ call, answered, operations }: Effect): string | null {
  const values = new Set(
    operations.flatMap(({ answer }) =>
      answer.value === undefined ? [] : [canonical(answer.value)],
    ),
  );
  if (values.size > 1) return 'repeats with one idempotency key were answered with two values';
  if (answered === undefined) return null;
  const wrote = call.op === 'delete' ? null : 'value' in call ? call.value : undefined;
  if (wrote === undefined || canonical(wrote) === canonical(answered)) return null;
  return 'a write was answered with another value than it wrote';
}

function stepOf({ call, answered }: Effect, states: States): Step | null {
  switch (call.op) {
    case 'read':
    case 'cache-read':
      return { kind: 'saw', state: states.of(answered ?? null) };
    case 'write':
      return { kind: 'set', state: states.of(call.value) };
    case 'cas': {
      const state = states.of(call.value);
      if (call.expect === undefined) return { kind: 'set', state };
      return { kind: 'swap', before: states.of(call.expect), state };
    }
    case 'increment': {
      const { by, field } = call;
      if (answered === undefined) return { kind: 'add', by, field, before: null };
      const before = states.sum(states.of(answered), -by, field);
      return before === IMPOSSIBLE ? null : { kind: 'add', by, field, before };
    }
    case 'delete':
      return { kind: 'remove' };
  }
}

function addPossible(found: Map<string, PossibleOperations>, step: Step, effect: Effect): void {
  const name = JSON.stringify(step);
  const same = found.get(name);
  if (same === undefined) {
    found.set(name, { step, invoked: [effect.invoked] });
  } else {
    same.invoked.push(effect.invoked);
  }
}
