import type { Runtime } from '../runtime/index.ts';

/** How a coordinator is to be started. */
export interface StartOptions {
  /** Absolute; absent: no file. */
  configFile?: string;
  /** Absolute. */
  dataDir: string;
  /** Over the configuration's. */
  port?: number;
  /** How many processes serve; 1: this one. */
  workers: number;
  /** Run the demo's resources and load; false with `--no-demo` or a configuration file. */
  demo: boolean;
  /** One JSON line instead of words for people. */
  json: boolean;
}

/** What the command line needs of the process around it. */
export interface CliPorts {
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute; relative paths of the command line start here. */
  cwd: string;
  out(line: string): void;
  err(line: string): void;
  /** Asks whoever sits at the terminal, and answers the line that was typed; null where there is no terminal. */
  ask: ((question: string) => Promise<string>) | null;
  /** Lockstep's version. */
  version: string;
  /** Its log is not shown. */
  runtime: Runtime;
  /** Runs a coordinator until it has stopped; answers the exit code. */
  start(options: StartOptions): Promise<number>;
  /** The configuration that `start` uses where no file is named. */
  demoConfig(): unknown;
}

/** What each command takes. */
export interface CommonOptions {
  json: boolean;
  dataDir: string;
  config?: string;
}
