import { type Judgement, RULES } from './findings.ts';

/** How much of what was seen is printed for each rule. */
const MAX_SEEN = 4;

/** One line a rule, and below it what was seen; the last line says what became of the whole. */
export function formatJudgements(judgements: readonly Judgement[]): string {
  const lines = judgements.flatMap(({ rule, verdict, seen }) => [
    `${rule.padEnd(5)} ${verdict.padEnd(10)} ${RULES[rule]}`,
    ...seen.slice(0, MAX_SEEN).map((text) => `        ${text}`),
    ...(seen.length > MAX_SEEN ? [`        and ${seen.length - MAX_SEEN} more`] : []),
  ]);
  const count = (wanted: Judgement['verdict']): number =>
    judgements.filter(({ verdict }) => verdict === wanted).length;
  const sum = (['passed', 'failed', 'skipped', 'not judged'] as const)
    .map((verdict) => `${count(verdict)} ${verdict}`)
    .join(', ');
  return [...lines, sum].join('\n');
}
