import { Batcher, type Timers } from '../runtime/index.ts';
import type { CacheConnection } from './redis-connection.ts';
import type { ReplicatedSteps } from './replicated-steps.ts';
import { evaluate, isCluster, type RedisScript, slotOf } from '../redis/index.ts';

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

/** Successive calls of the same step; on a Cluster, those of one slot. */
interface Run {
  step: RedisScript;
  calls: Call[];
  /** Where the answers belong in the batch. */
  places: number[];
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
 * Sends steps on entries to the cache. Each step is atomic, and those on one entry are carried out in the order of the
 * calls. Successive calls of the same step in one moment are sent as one command; on a Redis Cluster, those whose keys
 * are in one slot. There a member may refuse a step for a while (`TRYAGAIN`), and a later one can overtake it.
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
    const { client } = this.#connection;
    const replies: (Reply | Error)[] = [];
    const runs = runsOf(batch, isCluster(client) ? slotOf : () => 0);
    await Promise.all(
      runs.map(async (run) => {
        const answers = await this.#sendRun(run);
        for (const [index, place] of run.places.entries())
          replies[place] = answers[index] ?? new Error('The cache left out an answer.');
      }),
    );
    return replies;
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

/** Splits a batch by slot, and wherever the step changes. Calls of one slot stay in order. */
function runsOf(batch: readonly Call[], slotOfKey: (cacheKey: string) => number): Run[] {
  const runs: Run[] = [];
  const last = new Map<number, Run>();
  for (const [place, call] of batch.entries()) {
    const slot = slotOfKey(call.cacheKey);
    let run = last.get(slot);
    if (run?.step !== call.step) {
      run = { step: call.step, calls: [], places: [] };
      runs.push(run);
      last.set(slot, run);
    }
    run.calls.push(call);
    run.places.push(place);
  }
  return runs;
}
