/** Command lines of the programs that prove and measure: what an option's text may be, and how a wrong one ends. */
import { Command, InvalidArgumentError } from 'commander';

/** `--help` ends with 0, a wrong option with 2 and a line that says what is wrong: 1 says that a check has failed. */
export const programNamed = (name: string): Command =>
  new Command(name)
    .usage('-- [options]')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));

/** A number above 0; fractions are fine. */
export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0) return value;
  throw new InvalidArgumentError('It must be a number above 0.');
}

/** A whole number within bounds, both of which are allowed. */
export const whole =
  (least = 0, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    const upTo = most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number from ${least}${upTo}.`);
  };

/** One of `allowed`. */
export const oneOf =
  <Name extends string>(allowed: readonly Name[]) =>
  (text: string): Name => {
    const found = allowed.find((name) => name === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`There is no ${text}. Allowed: ${allowed.join(', ')}.`);
  };

/** Some of `allowed`, with commas between them. */
export const someOf =
  <Name extends string>(allowed: readonly Name[]) =>
  (text: string): Name[] =>
    text.split(',').map(oneOf(allowed));
