/** Lockstep over HTTP, as a service uses it. With `strict-direct`, reads look in Redis first. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CACHE_TIMEOUT_MS,
  type Contender,
  FailedCall,
  isStrict,
  LOCK_TTL_MS,
  type LockstepName,
  type Reading,
  VALUE_TTL_S,
  type Written,
} from '../contender.ts';
import type { Servers } from '../servers.ts';
import { CoordinatorProcess } from './coordinator-process.ts';
import { DirectReads } from './direct-reads.ts';
import { type Answer, HttpClient } from './http-client.ts';

export interface LockstepOptions {
  name: LockstepName;
  table: string;
  /** What each process connects to. */
  servers: readonly Servers[];
  /** The cache for callers that read it themselves. */
  readerCacheUrl: string;
  /** Where the processes work. */
  folder: string;
}

/** How often a caller reads again after another write came between its read and its own write. */
const MAX_ATTEMPTS = 100;
const BACKOFF_STEP_MS = 5;
const BACKOFF_MAX_MS = 100;

/** Starts the coordinators. */
export async function openLockstep(options: LockstepOptions): Promise<Contender> {
  const token = randomBytes(24).toString('base64url');
  const coordinators = options.servers.map(
    (servers, index) =>
      new CoordinatorProcess(
        join(options.folder, `${options.table}-${index}`),
        configOf(options, servers, token),
      ),
  );
  // In sequence, because the first one creates Lockstep's tables.
  for (const coordinator of coordinators) await coordinator.start();
  const direct =
    options.name === 'strict-direct'
      ? new DirectReads(options.readerCacheUrl, options.table)
      : null;
  return new LockstepContender(options.table, coordinators, token, direct);
}

class LockstepContender implements Contender {
  readonly processes: readonly CoordinatorProcess[];
  readonly #table: string;
  readonly #clients: readonly HttpClient[];
  readonly #direct: DirectReads | null;

  constructor(
    table: string,
    coordinators: readonly CoordinatorProcess[],
    token: string,
    direct: DirectReads | null,
  ) {
    this.processes = coordinators;
    this.#table = table;
    this.#clients = coordinators.map(({ url }) => new HttpClient(url, token));
    this.#direct = direct;
  }

  async read(process: number, caller: number, key: number): Promise<Reading> {
    const n = await this.#direct?.read(key);
    if (typeof n === 'number') return { n, fromDatabase: false };
    const { body } = await this.#row(process, caller, key);
    return { n: Number(body.value?.n), fromDatabase: body.source !== 'cache' };
  }

  async write(process: number, caller: number, key: number, value: number): Promise<Written> {
    const body = `{"value":${value},"$inc":{"n":1}}`;
    const answer = await this.#client(process).call(caller, 'PATCH', this.#path(key), body);
    return writtenBy(answer);
  }

  /** If another write came in between, the write is refused (412), and the caller reads again. */
  async readThenWrite(process: number, caller: number, key: number): Promise<Written> {
    for (let attempt = 1; ; attempt++) {
      const { body: read } = await this.#row(process, caller, key);
      const body = `{"counter":${Number(read.value?.counter) + 1},"$inc":{"n":1}}`;
      const answer = await this.#client(process).call(
        caller,
        'PATCH',
        this.#path(key),
        body,
        read.version ?? 0,
      );
      if (answer.status !== 412 || attempt === MAX_ATTEMPTS) return writtenBy(answer);
      await sleep(Math.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_STEP_MS * attempt));
    }
  }

  async close(): Promise<void> {
    this.#direct?.close();
    await Promise.all(this.#clients.map((client) => client.close()));
    await Promise.all(this.processes.map((coordinator) => coordinator.stop()));
  }

  async #row(process: number, caller: number, key: number): Promise<Answer> {
    const answer = await this.#client(process).call(caller, 'GET', this.#path(key));
    if (answer.status !== 200) throw failureOf(answer);
    return answer;
  }

  #client(process: number): HttpClient {
    const client = this.#clients[process];
    if (client === undefined) throw new RangeError(`No process ${process}`);
    return client;
  }

  #path(key: number): string {
    return `/v1/resources/${this.#table}/${key}`;
  }
}

function writtenBy(answer: Answer): Written {
  if (answer.status !== 200) throw failureOf(answer);
  const { value, cache } = answer.body;
  return { n: Number(value?.n), inStep: cache === 'fresh' || cache === 'invalidated' };
}

const failureOf = ({ status, body }: Answer): FailedCall =>
  new FailedCall(body.code ?? `HTTP_${status}`);

/** The defaults, except for what is the same for all contenders. */
function configOf({ name, table }: LockstepOptions, servers: Servers, token: string): object {
  return {
    database: { client: 'pg', connection: servers.databaseUrl },
    cache: { url: servers.cacheUrl, commandTimeout: `${CACHE_TIMEOUT_MS}ms` },
    locks: { nodes: servers.lockUrls, ttl: `${LOCK_TTL_MS}ms` },
    auth: { tokens: { service: token } },
    // Used only by the coordinators of this run.
    changeLog: { slot: table, publication: table },
    resources: {
      [table]: {
        table,
        key: ['id'],
        columns: ['id', 'owner', 'value', 'n', 'counter', 'updated_at'],
        cacheKey: `${table}:{id}`,
        ttl: `${VALUE_TTL_S}s`,
        policy: isStrict(name) ? 'strict' : name,
      },
    },
  };
}
