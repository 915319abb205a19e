import { parseArgs } from 'node:util';
import { CONTROLS, isControl, isLocalControl, type Control } from '@lockstep/testkit/controls';
import type { Replicated } from '../simulate.ts';

export interface Arguments {
  seeds: number;
  from: number;
  control: Control | null;
  /** Run every control with the same seeds, and print a table. */
  controls: boolean;
  /** `strict.verifyIntent`. */
  verifyIntent: boolean;
  /** The cache loses intents. */
  forgetful: boolean;
  /** With transactions and leases. */
  together: boolean;
  /** Clients keep values in memory. */
  local: boolean;
  /** The cache fails over; how its replica is waited for. Null: it has none. */
  failovers: Replicated | null;
  /** Show this one run. */
  replay: number | null;
  /** Make a failing run smaller. */
  shrink: boolean;
  /** Leave out minor lines. */
  brief: boolean;
  json: boolean;
  /** The file for the history of the replayed run. */
  history: string | null;
}

export const HELP = `Runs the engine in simulated worlds, one for each seed, and judges what happens.

  npm run simulate -- [--seeds N] [--from SEED] [--control NAME] [--json] [--no-shrink]
  npm run simulate -- --controls [--seeds N] [--from SEED]
  npm run simulate -- --replay SEED [--control NAME] [--brief] [--shrink] [--history FILE]

  --seeds N        how many seeds (default 1000)
  --from SEED      the first of them (default 1)
  --control NAME   with one protection broken: one of
                   ${CONTROLS.join(',\n                   ')}
  --controls       every control over the same seeds, as a table; exits 1 where one was not caught
  --forgetful      with a cache that loses intents, against what the protocol assumes of it
  --together       with transactions and leases
  --local          with clients that keep values in memory (level: local), and streams that lose messages
  --failovers HOW  with a cache that fails over to a replica that lacks its last changes. HOW the replica is waited
                   for after an intent: same-connection (cache.waitReplicas), any-connection (a lost WAIT
                   is sent again: the control of X8), not-waited
  --verify-intent  with strict.verifyIntent, which holds on such a cache too
  --replay SEED    shows one run, event by event; the same seed always gives the same run
  --shrink         of a failing replay: leaves out what it fails without, and shows what is left
  --no-shrink      does not show the first failing seed made small
  --brief          leaves out of a trace what goes on all the time
  --history FILE   writes what the clients of the replay saw, for npm run check-history
  --json           ends with one line of JSON

Exit code: 0 where nothing was violated, 1 where something was (with --control, too: that is how it should end), 2 for
a wrong command line.`;

/** A command line that cannot be understood. The message is for the user. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @returns null if help was asked for. @throws UsageError */
export function readArguments(args: readonly string[]): Arguments | null {
  const values = parse(args);
  if (values.help === true) return null;
  const { control = null } = values;
  if (control !== null && !isControl(control)) {
    throw new UsageError(`--control must be one of: ${CONTROLS.join(', ')}`);
  }
  const replay = values.replay === undefined ? null : wholeNumber('replay', values.replay, 0);
  return {
    seeds: wholeNumber('seeds', values.seeds ?? '1000', 1),
    from: wholeNumber('from', values.from ?? '1', 0),
    control,
    controls: values.controls ?? false,
    verifyIntent: values['verify-intent'] ?? false,
    forgetful: values.forgetful ?? false,
    together: values.together ?? false,
    local: values.local ?? (control !== null && isLocalControl(control)),
    failovers: howReplicated(values.failovers),
    replay,
    shrink: values.shrink ?? replay === null,
    brief: values.brief ?? false,
    json: values.json ?? false,
    history: values.history ?? null,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowNegative: true,
      options: {
        seeds: { type: 'string' },
        from: { type: 'string' },
        control: { type: 'string' },
        controls: { type: 'boolean' },
        'verify-intent': { type: 'boolean' },
        forgetful: { type: 'boolean' },
        together: { type: 'boolean' },
        local: { type: 'boolean' },
        failovers: { type: 'string' },
        replay: { type: 'string' },
        shrink: { type: 'boolean' },
        brief: { type: 'boolean' },
        json: { type: 'boolean' },
        history: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && value < 2 ** 32) return value;
  throw new UsageError(`--${name} must be a whole number from ${least}`);
}

const HOW: readonly Replicated[] = ['same-connection', 'any-connection', 'not-waited'];

function howReplicated(text: string | undefined): Replicated | null {
  if (text === undefined) return null;
  const how = HOW.find((name) => name === text);
  if (how === undefined) throw new UsageError(`--failovers must be one of: ${HOW.join(', ')}`);
  return how;
}
