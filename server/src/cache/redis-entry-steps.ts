import { Batcher, type Timers } from '../runtime/index.ts';
import type { CacheConnection } from './redis-connection.ts';
import type { ReplicatedSteps } from './replicated-steps.ts';
import { evaluate, type RedisScript } from '../redis/index.ts';

/** How many calls one command carries out. The cache does nothing else meanwhile (about 10 µs for each call). */
const MAX_BATCH = 100;

interface Reply {
  reply: unknown;
}

interface Call {
  step: RedisScript;
  cacheKey: string;
  args: readonly (string | number)[];
}

/** Successive calls of the same step. */
interface Run {
  step: RedisScript;
  calls: Call[];
}

export interface RedisEntryStepsOptions {
  connection: CacheConnection;
  timers: Pick<Timers, 'soon'>;
  /** The owner for the header of a cache key's entry; '' for none. Absent: none. */
  ownerOf?: ((cacheKey: string) => string) | undefined;
  /** The steps that replicas must have before they are answered. Absent: none. */
  replicated?: ReadonlyMap<RedisScript, Pick<ReplicatedSteps, 'run'>>;
}

/**
 * Sends steps on entries to the cache. Each step is atomic, and they are carried out in the order of the calls.
 * Successive calls of the same step in one moment are sent as one command. A Redis Cluster would need batches by slot.
 */
export class RedisEntrySteps {
  readonly #connection: CacheConnection;
  readonly #batcher: Batcher<Call, Reply>;
  readonly #ownerOf: (cacheKey: string) => string;
  readonly #replicated: ReadonlyMap<RedisScript, Pick<ReplicatedSteps, 'run'>>;

  constructor({ connection, timers, ownerOf, replicated }: RedisEntryStepsOptions) {
    this.#connection = connection;
    this.#ownerOf = ownerOf ?? (() => '');
    this.#replicated = replicated ?? new Map();
    this.#batcher = new Batcher({
      timers,
      // On a hot key, the next write's intent comes right after the previous write's publish.
      kindOf: ({ step }) => step,
      maxCalls: MAX_BATCH,
      send: (calls) => this.#send(calls),
    });
  }

  /**
   * @throws LockstepError `CACHE_UNAVAILABLE` if no answer comes in time; an error reply about the key's data is passed
   * on
   */
  async run(step: RedisScript, cacheKey: string, args: Call['args']): Promise<unknown> {
    const replicated = this.#replicated.get(step);
    if (replicated !== undefined) {
      const all = [...args, this.#ownerOf(cacheKey)];
      return this.#connection.runBeside(() => replicated.run(cacheKey, all));
    }
    return (await this.#batcher.add({ step, cacheKey, args })).reply;
  }

  async #send(batch: readonly Call[]): Promise<(Reply | Error)[]> {
    const runs = await Promise.all(runsOf(batch).map((run) => this.#sendRun(run)));
    return runs.flat();
  }

  /** Never rejects, because a failure of one run does not concern the others. */
  async #sendRun({ step, calls }: Run): Promise<(Reply | Error)[]> {
    try {
      const keys = calls.map(({ cacheKey }) => cacheKey);
      const args = calls.flatMap((call) => [...call.args, this.#ownerOf(call.cacheKey)]);
      const answers = await this.#connection.run((client) => evaluate(client, step, keys, args));
      if (!Array.isArray(answers)) throw new TypeError('The cache did not answer with a list.');
      return answers.map((reply: unknown) =>
        reply instanceof Error ? this.#connection.failure(reply) : { reply },
      );
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      return calls.map(() => failure);
    }
  }
}

/** Splits a batch wherever the step changes. */
function runsOf(batch: readonly Call[]): Run[] {
  const runs: Run[] = [];
  for (const call of batch) {
    const last = runs.at(-1);
    if (last?.step === call.step) last.calls.push(call);
    else runs.push({ step: call.step, calls: [call] });
  }
  return runs;
}
