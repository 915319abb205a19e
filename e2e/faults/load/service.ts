/** A service that uses `@lockstep/client` as it is built: what each call is answered, for the ledger. */
import { pathToFileURL } from 'node:url';
import type * as ClientPackage from '@lockstep/client';
import type { Client, ErrorCode, LockstepError, ReadResult, WriteResult } from '@lockstep/client';
import type { ClientControl } from '@lockstep/testkit/controls';
import { repositoryPath } from '@lockstep/testkit/repository';
import type { SideDoor } from '../../support/side-door.ts';
import type { FaultResource } from '../cluster/tables.ts';
import type { KeyOf } from './keys.ts';
import type { Card } from './cards.ts';
import type { Ending } from './ending.ts';

/** A call is given up after this long, as those over HTTP are. */
const CALL_TIMEOUT_MS = 2_500;
const REDIS_TIMEOUT_MS = 250;
const LOAD_TIMEOUT_MS = 1_500;
/** Codes of 5xx that the contract knows; every other one is a defect. */
const KNOWN_FAILURES = [503, 504];

interface Row {
  n: number | string;
  writer: string;
}
/** The resources as types: of rows the same for each, and a card's key is its id. */
type Rows = { key: number; value: Row; insert: Row; put: Row; patch: object };
type Tables = Record<FaultResource | 'receipt', Rows> & {
  card: { key: number; value: Card; insert: never; put: never; patch: never };
};

export interface ServiceOptions {
  name: string;
  /** The coordinator that it calls. */
  url: string;
  cacheUrl: string;
  control: ClientControl | null;
  /** Its loaders read the tables by themselves. */
  database: Pick<SideDoor, 'sql'>;
  onDefect: (defect: string) => void;
}

export class Service {
  readonly name: string;
  readonly #client: Client<Tables>;
  readonly #options: ServiceOptions;

  private constructor(options: ServiceOptions, client: Client<Tables>) {
    this.name = options.name;
    this.#options = options;
    this.#client = client;
  }

  static async open(options: ServiceOptions): Promise<Service> {
    const { url, cacheUrl, control } = options;
    const { createClient } = await builtClient(control);
    const client = createClient<Tables>({
      ...{ url, redis: cacheUrl, redisTimeoutMs: REDIS_TIMEOUT_MS, timeoutMs: CALL_TIMEOUT_MS },
      catalogRefreshMs: 2_000,
    });
    return new Service(options, client);
  }

  read({ resource, id }: KeyOf): Promise<Ending> {
    return this.#ending(this.#client.get(resource, id), false, (result) =>
      result === null ? { value: null } : answerOf(result),
    );
  }

  /** @param idempotencyKey by which the client repeats it where no answer comes */
  put({ resource, id }: KeyOf, row: Row, idempotencyKey: string): Promise<Ending> {
    return this.#written(this.#client.put(resource, id, row, { idempotencyKey }));
  }

  increment({ resource, id }: KeyOf, writer: string, idempotencyKey: string): Promise<Ending> {
    const change = { $inc: { n: 1 }, writer };
    return this.#written(this.#client.patch(resource, id, change, { idempotencyKey }));
  }

  /** Inserts a row whose key the database makes. @returns the key, where it is known */
  async insert(row: Row, idempotencyKey: string): Promise<{ ending: Ending; id: number | null }> {
    let id: number | null = null;
    const inserted = this.#client.insert('receipt', row, { idempotencyKey });
    const ending = await this.#written(
      inserted.then((result) => {
        id = Number(result.key);
        return result;
      }),
    );
    return { ending, id };
  }

  /**
   * The versions of the account and the profile of an id, as they are cached, or as the loader reads them.
   * @param thinkMs how long the loader takes after it has read
   * @returns null where the call failed
   */
  async card(id: number, thinkMs: number, staleIfErrorMs: number): Promise<Card | null> {
    try {
      const { value } = await this.#client.computed('card', id, () => this.#load(id, thinkMs), {
        loadTimeoutMs: LOAD_TIMEOUT_MS,
        staleIfErrorMs,
      });
      return value;
    } catch {
      // The database or the cache is away, or the call took too long.
      return null;
    }
  }

  async #load(id: number, thinkMs: number): Promise<Card> {
    const version = '(SELECT version FROM lockstep_keys WHERE resource = ? AND key = ?)';
    const [row] = await this.#options.database.sql(
      `SELECT ${version} AS account, ${version} AS profile`,
      ['account', String(id), 'profile', String(id)],
    );
    await new Promise((resolve) => setTimeout(resolve, thinkMs));
    return { account: Number(row?.['account'] ?? 0), profile: Number(row?.['profile'] ?? 0) };
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #written(write: Promise<WriteResult<Row>>): Promise<Ending> {
    return this.#ending(write, true, ({ value, version, cache }) => ({
      ...{ value: numberOf(value), version, cache },
    }));
  }

  async #ending<T>(
    call: Promise<T>,
    isWrite: boolean,
    answer: (result: T) => Extract<Ending, { e: 'ok' }>['answer'],
  ): Promise<Ending> {
    try {
      return { e: 'ok', answer: answer(await call) };
    } catch (error) {
      return this.#failed(error as LockstepError, isWrite);
    }
  }

  #failed({ code, status, outcome, message }: LockstepError, isWrite: boolean): Ending {
    const isKnown = status < 500 || KNOWN_FAILURES.includes(status);
    if (!isKnown) this.#options.onDefect(`${this.name} was answered ${code}: ${message}`);
    const name: ErrorCode = code;
    return { e: isWrite && outcome === 'unknown' ? 'unknown' : 'fail', code: name };
  }
}

const numberOf = (row: Row | null): number | null => (row === null ? null : Number(row.n));

const answerOf = ({ value, version, source }: ReadResult<Row>) => ({
  value: numberOf(value),
  ...(version === null ? {} : { version }),
  source: source === 'local' ? ('cache' as const) : source,
});

/** The package as services install it, or the build of it that has the controls. */
function builtClient(control: ClientControl | null): Promise<typeof ClientPackage> {
  const folder = control === null ? 'dist' : 'dist-controls';
  // The build reads it once, when it is loaded.
  if (control !== null) process.env['LOCKSTEP_CLIENT_CONTROL'] = control;
  const path = repositoryPath(`client/${folder}/index.js`);
  return import(pathToFileURL(path).href) as Promise<typeof ClientPackage>;
}
