/** The results of strategies as rows of a table of at most 100 columns. */
import type { Report } from '../explore-strategy.ts';
import { PROPERTIES } from '../model/process.ts';
import { wrapped } from './lines.ts';

const WIDTH = 100;
const TITLE = 48;
const STATES = 9;
const ANSWER = 10;
const HEADINGS = ['for good', 'a while', 'lost', 'never was'];

export function heading(): string {
  const titles = row('strategy', 'states', HEADINGS);
  return [titles, '─'.repeat(titles.length)].join('\n');
}

/** A strategy's answers with the number of steps of the shortest trace, then its name and its weaknesses. */
export function rowOf(report: Report): string {
  const { name, title, states, isComplete, traces } = report;
  const answers = PROPERTIES.map((property) => {
    const [shortest] = traces[property];
    if (shortest !== undefined) return `yes (${shortest.steps.length})`;
    return isComplete ? 'no' : 'unknown';
  });
  const told = wrapped(`${name}: ${weaknessesOf(report)}`, WIDTH - 2).map((line) => `  ${line}`);
  const count = states.toLocaleString('en') + (isComplete ? '' : '+');
  return [row(title, count, answers), ...told].join('\n');
}

function weaknessesOf({ weaknesses }: Report): string {
  const words = weaknesses.map((it) =>
    it.isFound ? it.words : `(not within these bounds: ${it.words})`,
  );
  return words.length === 0 ? 'none known' : words.join('; ');
}

const row = (title: string, states: string, answers: readonly string[]): string =>
  [title.padEnd(TITLE), states.padStart(STATES), ...answers.map((it) => it.padStart(ANSWER))]
    .join('')
    .trimEnd();
