/** Command lines of the programs in this package: `--help` ends with 0, what is wrong with 2 and a line that says it. */
import { Command, InvalidArgumentError } from 'commander';

/** Exits with 2 for a wrong option, because 1 says that a check has failed. */
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

/** A whole number of 0 or more. */
export function whole(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number.');
}

/** One of `allowed`. */
export const oneOf =
  <Name extends string>(allowed: readonly Name[]) =>
  (text: string): Name => {
    const found = allowed.find((name) => name === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`Allowed: ${allowed.join(', ')}.`);
  };
