import { Batcher, type Timers } from '../runtime/index.ts';
import type { CacheConnection } from './redis-connection.ts';
import { evaluate, type RedisScript } from '../redis/index.ts';

/** Bound on the calls of one command: it holds the cache up for so long (about 10 µs each). */
const MAX_ROUND = 100;

interface Reply {
  reply: unknown;
}

interface Call {
  step: RedisScript;
  cacheKey: string;
  args: readonly (string | number)[];
}

/** Calls that follow one another with the same step. */
interface Run {
  step: RedisScript;
  calls: Call[];
}

/**
 * Has the cache carry out steps on entries, each atomic, in the order of the calls. Calls of one moment that follow one
 * another with the same step go as one command. A Redis Cluster would need batches by slot.
 */
export class RedisEntrySteps {
  readonly #connection: CacheConnection;
  readonly #batcher: Batcher<Call, Reply>;
  readonly #ownerOf: (cacheKey: string) => string;

  /** @param ownerOf what the headers of a cache key's entry say of whose it is; '' says nothing */
  constructor(
    connection: CacheConnection,
    timers: Pick<Timers, 'soon'>,
    ownerOf: (cacheKey: string) => string = () => '',
  ) {
    this.#connection = connection;
    this.#ownerOf = ownerOf;
    this.#batcher = new Batcher({
      timers,
      // On a hot key the next write's intent comes right behind the last one's publish.
      kindOf: ({ step }) => step,
      maxCalls: MAX_ROUND,
      send: (calls) => this.#send(calls),
    });
  }

  /** @throws LockstepError `CACHE_UNAVAILABLE` where no answer comes in time; what the cache refuses passes as it is */
  async run(step: RedisScript, cacheKey: string, args: Call['args']): Promise<unknown> {
    return (await this.#batcher.add({ step, cacheKey, args })).reply;
  }

  async #send(round: readonly Call[]): Promise<(Reply | Error)[]> {
    const runs = await Promise.all(runsOf(round).map((run) => this.#sendRun(run)));
    return runs.flat();
  }

  /** Never rejects: what one run meets is no matter to the others. */
  async #sendRun({ step, calls }: Run): Promise<(Reply | Error)[]> {
    try {
      const keys = calls.map(({ cacheKey }) => cacheKey);
      const args = calls.flatMap((call) => [...call.args, this.#ownerOf(call.cacheKey)]);
      const answers = await this.#connection.run((client) => evaluate(client, step, keys, args));
      if (!Array.isArray(answers)) throw new TypeError('The cache answered no list to a round.');
      return answers.map((reply: unknown) =>
        reply instanceof Error ? this.#connection.failure(reply) : { reply },
      );
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      return calls.map(() => failure);
    }
  }
}

/** Cut where the step changes. */
function runsOf(round: readonly Call[]): Run[] {
  const runs: Run[] = [];
  for (const call of round) {
    const last = runs.at(-1);
    if (last?.step === call.step) last.calls.push(call);
    else runs.push({ step: call.step, calls: [call] });
  }
  return runs;
}
