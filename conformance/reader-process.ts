/**
 * The reader under test: a program that is started here and answers one line of JSON for each line that it is sent
 * (README.md, "The lines").
 *
 * States: running -> ended. Requests that have no answer when it ends, or after `ANSWER_TIMEOUT_MS`, are answered
 * `NO_ANSWER` by this class.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '@lockstep/shared';

export type KeyPart = string | number | boolean;

/** What a read answered. */
export type Answer =
  | { value: JsonValue; version: number | null }
  /** There is no such row. */
  | { absent: true }
  | { error: string };

export interface Asked {
  resource: string;
  key: readonly KeyPart[];
  /** The name of a session; only for readers that have `sessions`. */
  session?: string;
}

/** What a reader may have beside `get`. */
export type Ability = 'sessions' | 'many';

export interface Description {
  name: string;
  has: ReadonlySet<string>;
}

export interface ReaderAddresses {
  url: string;
  token: string;
  redis: string;
  /** How often it is to ask for the resources. Default: 300 ms, so that a run is short. */
  refreshMs?: number;
}

export const NO_ANSWER = 'NO_ANSWER';
const ANSWER_TIMEOUT_MS = 20_000;
const REFRESH_MS = 300;
const KEPT_CHARACTERS = 2_000;

export class ReaderProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: JsonObject) => void>();
  #lastId = 0;
  #stderr = '';
  #hasEnded = false;

  /** @param command a command line of the shell */
  constructor(command: string, { url, token, redis, refreshMs = REFRESH_MS }: ReaderAddresses) {
    this.#child = spawn(command, {
      shell: true,
      // A process group of its own: the shell and what it starts end together.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        ...process.env,
        READER_URL: url,
        READER_TOKEN: token,
        READER_REDIS: redis,
        READER_REFRESH_MS: String(refreshMs),
      },
    });
    const { stdin, stdout, stderr } = this.#child;
    // It ended: `close` tells.
    stdin?.on('error', () => undefined);
    stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-KEPT_CHARACTERS);
    });
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => this.#take(line));
    this.#child.on('error', () => this.#ended());
    this.#child.on('close', () => this.#ended());
  }

  /** The end of what it printed on its error output. */
  get errorOutput(): string {
    return this.#stderr;
  }

  /** @throws Error where it does not describe itself */
  async describe(): Promise<Description> {
    const { name, has } = await this.#ask({ op: 'hello' });
    if (typeof name !== 'string' || !Array.isArray(has))
      throw new Error(
        `The reader did not answer "hello" with its name and what it has.\n${this.#stderr}`,
      );
    return { name, has: new Set(has.filter((each) => typeof each === 'string')) };
  }

  async get(asked: Asked): Promise<Answer> {
    return answerIn(await this.#ask({ op: 'get', ...asked }));
  }

  /** Several keys of one resource at once; in order. */
  async getMany(resource: string, keys: readonly (readonly KeyPart[])[]): Promise<Answer[]> {
    const { results, error } = await this.#ask({ op: 'getMany', resource, keys });
    if (Array.isArray(results) && results.length === keys.length) return results.map(answerIn);
    const failed = { error: typeof error === 'string' ? error : 'no list of results' };
    return keys.map(() => failed);
  }

  /** Ends it, by force: it has nothing to lose. */
  async close(): Promise<void> {
    const { pid } = this.#child;
    if (this.#hasEnded || pid === undefined) return;
    const ended = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      return; // it has just ended
    }
    await ended;
  }

  #ask(request: object): Promise<JsonObject> {
    const id = ++this.#lastId;
    if (this.#hasEnded) return Promise.resolve({ error: NO_ANSWER });
    return new Promise((resolve) => {
      const late = setTimeout(() => this.#answer(id, { error: NO_ANSWER }), ANSWER_TIMEOUT_MS);
      this.#waiting.set(id, (answer) => {
        clearTimeout(late);
        resolve(answer);
      });
      this.#child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }

  #take(line: string): void {
    let answer: JsonValue;
    try {
      answer = parseJson(line);
    } catch {
      this.#stderr += `\n(not a line of JSON: ${line.slice(0, 200)})`;
      return;
    }
    if (isJsonObject(answer) && typeof answer['id'] === 'number')
      this.#answer(answer['id'], answer);
  }

  #answer(id: number, answer: JsonObject): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }

  #ended(): void {
    this.#hasEnded = true;
    for (const id of [...this.#waiting.keys()]) this.#answer(id, { error: NO_ANSWER });
  }
}

function answerIn(line: JsonValue): Answer {
  if (!isJsonObject(line)) return { error: 'no answer in the line' };
  const { value, version, absent, error } = line;
  if (typeof error === 'string') return { error };
  if (absent === true) return { absent: true };
  if (value === undefined) return { error: 'neither value, absent nor error in the line' };
  return { value, version: typeof version === 'number' ? version : null };
}
