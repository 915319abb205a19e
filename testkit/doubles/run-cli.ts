import { systemRuntime } from '../../server/src/runtime/index.ts';
import { runCli, type StartOptions } from '../../server/src/cli/index.ts';

const quiet = (): void => undefined;

export interface Ran {
  code: number;
  out: string[];
  err: string[];
  started: StartOptions[];
}

/** Runs a command with everything that it prints caught. */
export async function run(
  argv: string[],
  {
    cwd = '/',
    env = {},
    demo = {},
    ask = null,
  }: {
    cwd?: string;
    env?: Record<string, string>;
    demo?: unknown;
    ask?: ((question: string) => Promise<string>) | null;
  } = {},
): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const started: StartOptions[] = [];
  const code = await runCli(argv, {
    env,
    cwd,
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    ask,
    version: '1.2.3',
    runtime: systemRuntime({ debug: quiet, info: quiet, warn: quiet, error: quiet }),
    start: (options) => {
      started.push(options);
      return Promise.resolve(0);
    },
    demoConfig: () => demo,
  });
  return { code, out, err, started };
}
