/** `npm run check-history -- FILE`: judges a recorded history by versions and by values. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { describeViolation } from './describe.ts';
import { HistoryError, type History } from './history.ts';
import { parseJepsenEtcd } from './jepsen-etcd.ts';
import { judge, type Judgement } from './judge.ts';
import { HistoryReader } from './reader.ts';

const USAGE = `Usage: npm run check-history -- FILE [options]

Judges a history by its versions and by its values alone.

  --format FORMAT    lockstep (JSON lines; the default) or jepsen-etcd (a log of Jepsen's etcd test)
  --max-states N     bound on the search by values, in configurations of one key (default 300000)
  --json             print one JSON object
  --help             print this

Exit codes: 0 holds, 1 violated, 2 the file or the arguments are wrong, 3 unknown (the search reached its bound)`;

const EXIT_CODES = { holds: 0, violated: 1, unknown: 3 } as const;
const WRONG = 2;

class WrongUse extends Error {}

/** Where the lines go. */
export interface Streams {
  out: (text: string) => void;
  error: (text: string) => void;
}

/** The program, from its arguments to its exit code. */
export async function checkHistory(args: string[], { out, error }: Streams): Promise<number> {
  try {
    const { values, positionals } = readArguments(args);
    if (values.help === true) {
      out(USAGE);
      return 0;
    }
    const [file] = positionals;
    if (file === undefined || positionals.length > 1) throw new WrongUse('name one FILE');
    const startedMs = performance.now();
    const bound = maxStates(values['max-states']);
    const history = await readHistory(file, values.format ?? 'lockstep');
    const judgement = judge(history, bound);
    const tookMs = Math.round(performance.now() - startedMs);
    out(values.json === true ? asJson(judgement, tookMs) : asText(judgement, tookMs));
    return EXIT_CODES[judgement.verdict];
  } catch (fault) {
    const line = explain(fault);
    if (line === null) throw fault;
    error(`check-history: ${line}`);
    return WRONG;
  }
}

function readArguments(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        format: { type: 'string' },
        'max-states': { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new WrongUse(error instanceof Error ? error.message : 'wrong arguments');
  }
}

function maxStates(text: string | undefined): { maxStates?: number } {
  if (text === undefined) return {};
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new WrongUse('--max-states must be a whole number');
  return { maxStates: Number(text) };
}

async function readHistory(file: string, format: string): Promise<History> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  switch (format) {
    case 'lockstep': {
      const reader = new HistoryReader();
      for await (const line of lines) reader.push(line);
      return reader.end();
    }
    case 'jepsen-etcd': {
      const all: string[] = [];
      for await (const line of lines) all.push(line);
      return parseJepsenEtcd(all);
    }
    default:
      throw new WrongUse(`--format must be lockstep or jepsen-etcd, not ${format}`);
  }
}

/** The one line for what the user can mend; `null` for a defect of ours. */
function explain(error: unknown): string | null {
  if (error instanceof WrongUse) return `${error.message} (--help tells more)`;
  if (error instanceof HistoryError) return error.message;
  return error instanceof Error && 'syscall' in error ? error.message : null;
}

function asText(judgement: Judgement, tookMs: number): string {
  const { verdict, violations, unknownKeys, operations, keys } = judgement;
  const lines = violations.map((violation) => `${describeViolation(violation)}\n`);
  if (unknownKeys.length > 0) {
    lines.push(`The search by values reached its bound for: ${unknownKeys.join(', ')}\n`);
  }
  const count = counted(violations.length, 'violation');
  const what = `${counted(operations, 'operation')} on ${counted(keys, 'key')}`;
  lines.push(`${verdict}: ${what}, ${count}, in ${tookMs} ms`);
  return lines.join('\n');
}

function asJson(judgement: Judgement, tookMs: number): string {
  const violations = judgement.violations.map((violation) => ({
    ...violation,
    operations: violation.operations.map(({ id }) => id),
    text: describeViolation(violation),
  }));
  return JSON.stringify({ ...judgement, violations, tookMs });
}

const counted = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? '' : 's'}`;
