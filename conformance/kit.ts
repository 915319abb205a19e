import { cacheKeys } from './checks/cache-keys.ts';
import { changes } from './checks/changes.ts';
import type { Check } from './checks/check.ts';
import { corruptEntries } from './checks/corrupt-entries.ts';
import { load } from './checks/load.ts';
import { memory } from './checks/memory.ts';
import { outages } from './checks/outages.ts';
import { owners } from './checks/owners.ts';
import { primaries, strangeServers } from './checks/primaries.ts';
import { sessions } from './checks/sessions.ts';
import { states } from './checks/states.ts';
import { switches } from './checks/switches.ts';
import { values } from './checks/values.ts';
import { Findings, type Judgement, type Rule, RULE_NAMES } from './findings.ts';
import type { Servers } from './servers.ts';
import { NotReadingError, type StationOptions } from './station.ts';

/** Those that take long come first: several are under way at once. */
const CHECKS: readonly Check[] = [
  strangeServers,
  outages,
  primaries,
  switches,
  load,
  owners,
  cacheKeys,
  corruptEntries,
  states,
  values,
  sessions,
  memory,
  changes,
];
const AT_ONCE = 3;

/**
 * Judges a reader by the rules. Each check has readers, proxies and keys of its own, so that several run at once.
 * @param command a command line that starts the reader
 */
export async function judgeReader(
  servers: Servers,
  command: string,
  rules: readonly Rule[] = RULE_NAMES,
): Promise<Judgement[]> {
  const findings = new Findings();
  const waiting = CHECKS.filter((check) => check.rules.some((rule) => rules.includes(rule)));
  let isReading = true;
  const work = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      // Of a reader that does not read the cache nothing more can be told.
      if (!isReading) findings.notJudged(check.rules, 'the reader does not read the cache');
      else if (!(await carryOut(check, { servers, command, findings }))) isReading = false;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return findings.judgements().filter(({ rule }) => rules.includes(rule));
}

/** False where it turned out that the reader does not read the cache. */
async function carryOut(check: Check, options: StationOptions): Promise<boolean> {
  const { findings } = options;
  try {
    await check.run(options);
    findings.judged(check.rules);
    return true;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    findings.notJudged(check.rules, reason);
    if (!(error instanceof NotReadingError)) return true;
    findings.broken('reads', reason);
    return false;
  }
}

/** Whether each rule was kept, as far as the reader has what it is about. */
export const isConforming = (judgements: readonly Judgement[]): boolean =>
  judgements.every(({ verdict }) => verdict === 'passed' || verdict === 'skipped');
