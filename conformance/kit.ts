import { cacheKeys } from './checks/cache-keys.ts';
import { changes } from './checks/changes.ts';
import type { Check } from './checks/check.ts';
import { corruptEntries } from './checks/corrupt-entries.ts';
import { load } from './checks/load.ts';
import { memory } from './checks/memory.ts';
import { outages } from './checks/outages.ts';
import { owners } from './checks/owners.ts';
import { primaries } from './checks/primaries.ts';
import { sessions } from './checks/sessions.ts';
import { states } from './checks/states.ts';
import { switches } from './checks/switches.ts';
import { values } from './checks/values.ts';
import { Findings, type Judgement } from './findings.ts';
import type { Servers } from './servers.ts';
import { NotReadingError } from './station.ts';

/** Those that take long come first: several are under way at once. */
const CHECKS: readonly Check[] = [
  primaries,
  outages,
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
 * Judges a reader by every rule. Each check has readers, proxies and keys of its own, so that several run at once.
 * @param command a command line that starts the reader
 */
export async function judgeReader(servers: Servers, command: string): Promise<Judgement[]> {
  const findings = new Findings();
  const waiting = [...CHECKS];
  const work = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift())
      await carryOut(check, { servers, command, findings });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return findings.judgements();
}

async function carryOut(check: Check, options: Parameters<Check['run']>[0]): Promise<void> {
  const { findings } = options;
  try {
    await check.run(options);
    findings.judged(check.rules);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof NotReadingError) findings.broken('reads', reason);
    findings.notJudged(check.rules, reason);
  }
}

/** Whether each rule was kept, as far as the reader has what it is about. */
export const isConforming = (judgements: readonly Judgement[]): boolean =>
  judgements.every(({ verdict }) => verdict === 'passed' || verdict === 'skipped');
