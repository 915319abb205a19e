import { canonical, type History, type Operation } from '../history.ts';
import { operationsByKey } from '../by-key.ts';
import type { Verdict, Violation } from '../verdict.ts';
import { Demand } from './demand.ts';
import { registerOf, type Register } from './register.ts';
import { INITIALLY, POSSIBLY, Search, type Configuration } from './search.ts';

/** Configurations of one key after which the search gives up; each takes some hundred bytes to remember. */
const MAX_STATES_OF_A_KEY = 300_000;

export interface ValueOptions {
  /** Bound on the work for one key, in configurations. */
  maxStates?: number;
}

export interface ValueJudgement {
  verdict: Verdict;
  violations: Violation[];
  /** Keys whose search ended at its bound. */
  unknownKeys: string[];
  /** Configurations met, over all keys. */
  visited: number;
}

/**
 * Judges a history by its values alone: whether each key's operations have some order, each at one moment between its
 * invocation and its return, in which a single register answers just what was answered. (Linearizability is local:
 * a history has such an order if each key's part has one; Herlihy and Wing 1990.) Nothing else that a server says is
 * believed or used, neither versions nor where an answer came from, but for resources that are not strict: there only
 * the writes and the reads of the primary database are judged.
 */
export function checkValues(history: History, options: ValueOptions = {}): ValueJudgement {
  const judgement: ValueJudgement = {
    verdict: 'holds',
    violations: [],
    unknownKeys: [],
    visited: 0,
  };
  for (const [key, operations] of operationsByKey(history)) {
    judgeKey(key, operations, history, options.maxStates ?? MAX_STATES_OF_A_KEY, judgement);
  }
  if (judgement.violations.length > 0) judgement.verdict = 'violated';
  else if (judgement.unknownKeys.length > 0) judgement.verdict = 'unknown';
  return judgement;
}

function judgeKey(
  key: string,
  operations: readonly Operation[],
  history: History,
  maxStates: number,
  judgement: ValueJudgement,
): void {
  const register = registerOf(key, operations, history);
  if ('message' in register) {
    judgement.violations.push({ rule: 'values', key, ...register });
    return;
  }
  const nowhere = outOfNowhere(register);
  if (nowhere !== null) {
    judgement.violations.push(nowhere);
    return;
  }
  const result = new Search(register, maxStates).run();
  judgement.visited += result.visited;
  if (result.verdict === 'unknown') judgement.unknownKeys.push(key);
  if (result.verdict === 'violated') judgement.violations.push(noOrder(register, result.furthest));
}

function outOfNowhere(register: Register): Violation | null {
  const demand = new Demand(register);
  const rank = register.certain.findIndex((_, each) => demand.isOutOfNowhere(each));
  const operation = register.certain[rank];
  if (operation === undefined) return null;
  const message = 'a value was answered that nobody had begun to write';
  return { rule: 'values', key: register.key, message, operations: operation.operations };
}

/** The violation as the furthest configuration shows it: what made its state, what must come next, what needs the state. */
function noOrder(register: Register, furthest: Configuration): Violation {
  const { certain, states, key } = register;
  const value = canonical(states.valueOf(furthest.state));
  const needer = new Demand(register).needer(furthest.state, furthest);
  const ranks = new Set([furthest.madeBy, furthest.next, needer ?? furthest.next]);
  const operations = [...ranks].flatMap((rank) => certain[rank]?.operations ?? []);
  const source =
    furthest.madeBy === INITIALLY
      ? 'was there from the beginning'
      : furthest.madeBy === POSSIBLY
        ? 'was made by a write of unknown outcome'
        : `was made by operation ${certain[furthest.madeBy]?.operations[0]?.id ?? '?'}`;
  const next = certain[furthest.next]?.operations[0]?.id ?? '?';
  const message =
    `no order explains the answers: at best ${value}, which ${source}, stands where ` +
    `operation ${next} must have happened`;
  return { rule: 'values', key, message, operations };
}
