/** Lockstep's coordinators, called over HTTP or by `@lockstep/client`. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  CACHE_TIMEOUT_MS,
  type Contender,
  FailedCall,
  LOCK_TTL_MS,
  type LockstepName,
  type Reading,
  VALUE_TTL_S,
  type Written,
} from '../contender.ts';
import type { Servers } from '../servers.ts';
import { ClientContender } from './client-contender.ts';
import { CoordinatorProcess } from './coordinator-process.ts';
import { type Answer, HttpClient } from './http-client.ts';
import { afterConflict } from './read-then-write.ts';

export interface LockstepOptions {
  name: LockstepName;
  table: string;
  /** What each process connects to. */
  servers: readonly Servers[];
  /** The cache for clients, which read it themselves. */
  readerCacheUrl: string;
  /** Where the processes work. */
  folder: string;
}

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
  const { name, table, readerCacheUrl: cacheUrl } = options;
  return name.startsWith(CLIENT)
    ? new ClientContender({ table, coordinators, token, cacheUrl })
    : new HttpContender(table, coordinators, token);
}

/** How the names of rows by the client begin; a policy follows. */
const CLIENT = 'client-';

class HttpContender implements Contender {
  readonly processes: readonly CoordinatorProcess[];
  readonly #table: string;
  readonly #clients: readonly HttpClient[];

  constructor(table: string, coordinators: readonly CoordinatorProcess[], token: string) {
    this.processes = coordinators;
    this.#table = table;
    this.#clients = coordinators.map(({ url }) => new HttpClient(url, token));
  }

  async read(process: number, caller: number, key: number): Promise<Reading> {
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
      if (answer.status !== 412 || !(await afterConflict(attempt))) return writtenBy(answer);
    }
  }

  async close(): Promise<void> {
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
        policy: name.startsWith(CLIENT) ? name.slice(CLIENT.length) : name,
      },
    },
  };
}
