/** Lockstep as a service uses it with `@lockstep/client`: it reads Redis itself, and its writes go in batches. */
import { type Client, createClient, LockstepError } from '@lockstep/client';
import {
  CACHE_TIMEOUT_MS,
  type Contender,
  FailedCall,
  type Reading,
  type Written,
} from '../contender.ts';
import type { CoordinatorProcess } from './coordinator-process.ts';
import { afterConflict } from './read-then-write.ts';

interface Row {
  n: number | string;
  counter: number | string;
}
type Tables = Record<string, { key: number; value: Row; insert: Row; put: Row; patch: object }>;

export interface ClientOptions {
  table: string;
  coordinators: readonly CoordinatorProcess[];
  token: string;
  /** The cache as the service reaches it. */
  cacheUrl: string;
}

/** One client for each coordinator: a service's processes each have one. */
export class ClientContender implements Contender {
  readonly processes: readonly CoordinatorProcess[];
  readonly #table: string;
  readonly #clients: readonly Client<Tables>[];

  constructor({ table, coordinators, token, cacheUrl }: ClientOptions) {
    this.processes = coordinators;
    this.#table = table;
    this.#clients = coordinators.map(({ url }) =>
      createClient<Tables>({
        ...{ url, token, redis: cacheUrl, redisTimeoutMs: CACHE_TIMEOUT_MS },
        // As by hand, and as the rows over HTTP.
        idempotencyKeys: false,
      }),
    );
  }

  read(process: number, _caller: number, key: number): Promise<Reading> {
    return answered(async () => {
      const result = await this.#client(process).get(this.#table, key);
      return { n: Number(result?.value.n), fromDatabase: result?.source !== 'cache' };
    });
  }

  write(process: number, _caller: number, key: number, value: number): Promise<Written> {
    return this.#patch(process, key, { value, $inc: { n: 1 } });
  }

  /** If another write came in between, the write is refused (412), and the caller reads again. */
  async readThenWrite(process: number, _caller: number, key: number): Promise<Written> {
    for (let attempt = 1; ; attempt++) {
      const read = await answered(() => this.#client(process).get(this.#table, key));
      const change = { counter: Number(read?.value.counter) + 1, $inc: { n: 1 } };
      try {
        return await this.#patch(process, key, change, read?.version ?? 0);
      } catch (error) {
        if (!(error instanceof FailedCall) || error.kind !== 'VERSION_MISMATCH') throw error;
        if (!(await afterConflict(attempt))) throw error;
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await Promise.all(this.processes.map((coordinator) => coordinator.stop()));
  }

  #patch(process: number, key: number, change: object, ifVersion?: number): Promise<Written> {
    const options = ifVersion === undefined ? {} : { ifVersion };
    return answered(async () => {
      const { value, cache } = await this.#client(process).patch(this.#table, key, change, options);
      return { n: Number(value?.n), inStep: cache === 'fresh' || cache === 'invalidated' };
    });
  }

  #client(process: number): Client<Tables> {
    const client = this.#clients[process];
    if (client === undefined) throw new RangeError(`No process ${process}`);
    return client;
  }
}

/** @throws FailedCall with the code of a call that failed */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof LockstepError) throw new FailedCall(error.code);
    throw error;
  }
}
