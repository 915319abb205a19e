/** The coordinator and the cache on which readers are judged: embedded ones, or those that the caller names. */
import { randomInt } from 'node:crypto';
import {
  type Catalog,
  type CatalogResource,
  isJsonObject,
  type JsonObject,
  jsonText,
  type JsonValue,
  parseJson,
} from '@lockstep/shared';
import { startInstance } from '@lockstep/testkit/instances/instance';
import { Redis } from 'ioredis';
import { request } from 'undici';
import type { KeyPart } from './reader-process.ts';
import { SHOP_RESOURCES, SHOP_SQL, type ShopResource } from './shop.ts';

export interface ServerAddresses {
  url: string;
  token: string;
  /** The coordinators' cache. */
  redis: string;
}

/** A row as the coordinator answers it. */
export interface TrueRow {
  value: JsonValue;
  version: number | null;
}

export class Servers {
  readonly addresses: ServerAddresses;
  /** A connection to the cache of the kit's own. */
  readonly redis: Redis;
  readonly #resources: ReadonlyMap<string, CatalogResource>;
  readonly #end: () => Promise<void>;
  #lastId = randomInt(1, 2 ** 31) * 1_000;

  private constructor(
    addresses: ServerAddresses,
    catalog: Catalog,
    redis: Redis,
    end: () => Promise<void>,
  ) {
    this.addresses = addresses;
    this.redis = redis;
    this.#resources = new Map(catalog.resources.map((each) => [each.name, each]));
    this.#end = end;
  }

  /** Starts embedded ones. */
  static async embedded(): Promise<Servers> {
    const instance = await startInstance({
      config: {
        database: { mode: 'embedded', initSql: './shop.sql' },
        cache: { mode: 'embedded' },
        locks: { mode: 'embedded', ttl: '2s', waitTimeout: '20s' },
        resources: SHOP_RESOURCES,
      },
      files: { 'shop.sql': SHOP_SQL },
    });
    try {
      const { url, serviceToken, cacheUrl } = instance.runtime;
      const addresses = { url, token: serviceToken, redis: cacheUrl };
      return await Servers.at(addresses, () => instance.dispose());
    } catch (error) {
      await instance.dispose().catch(() => undefined); // the first error tells more
      throw error;
    }
  }

  /** Those at the addresses. @throws Error where they have not what the kit reads, or the cache is not the coordinator's */
  static async at(
    addresses: ServerAddresses,
    end: () => Promise<void> = () => Promise.resolve(),
  ): Promise<Servers> {
    const { status, body } = await ask(addresses, 'GET', '/v1/resources');
    if (status !== 200) throw new Error(`GET /v1/resources answered ${status}: ${jsonText(body)}`);
    const catalog = body as unknown as Catalog;
    const names = new Set(catalog.resources.map(({ name }) => name));
    const missing = Object.keys(SHOP_RESOURCES).filter((name) => !names.has(name));
    if (missing.length > 0)
      throw new Error(`The coordinator lacks ${missing.join(', ')} (conformance/README.md).`);
    const redis = new Redis(addresses.redis, { maxRetriesPerRequest: 3 });
    redis.on('error', () => undefined); // the commands fail too
    if ((await redis.get('lockstep:server')) !== catalog.cacheId) {
      redis.disconnect();
      throw new Error(
        'The Redis is not the one that the coordinator uses: lockstep:server differs.',
      );
    }
    return new Servers(addresses, catalog, redis, end);
  }

  async close(): Promise<void> {
    this.redis.disconnect();
    await this.#end();
  }

  resource(name: ShopResource): CatalogResource {
    const found = this.#resources.get(name);
    if (found === undefined) throw new Error(`There is no resource ${name}`);
    return found;
  }

  /** A key that nothing else uses. */
  newId(): number {
    return ++this.#lastId;
  }

  /** @throws Error where it was not applied */
  async write(
    resource: ShopResource,
    key: readonly KeyPart[],
    value: JsonObject,
  ): Promise<TrueRow> {
    const { status, body } = await this.#batch({ op: 'put', resource, key: [...key], value });
    if (status >= 300) throw new Error(`A write of ${resource} was answered ${jsonText(body)}`);
    return rowIn(body);
  }

  /** What the database has; null: no such row. @throws Error where the coordinator refuses the key */
  async read(resource: ShopResource, key: readonly KeyPart[]): Promise<TrueRow | null> {
    const { status, body } = await this.#batch({ op: 'get', resource, key: [...key] });
    if (status === 404 && body['code'] === 'NOT_FOUND') return null;
    if (status !== 200) throw new Error(`A read of ${resource} was answered ${jsonText(body)}`);
    return rowIn(body);
  }

  async #batch(operation: JsonObject): Promise<{ status: number; body: JsonObject }> {
    const { status, body } = await ask(this.addresses, 'POST', '/v1/batch', {
      operations: [operation],
    });
    const [result] = Array.isArray(body['results']) ? body['results'] : [];
    if (!isJsonObject(result)) throw new Error(`A batch was answered ${status}: ${jsonText(body)}`);
    return { status: Number(result['status']), body: result };
  }
}

const rowIn = ({ value, version }: JsonObject): TrueRow => ({
  value: value ?? null,
  version: typeof version === 'number' ? version : null,
});

async function ask(
  { url, token }: ServerAddresses,
  method: 'GET' | 'POST',
  path: string,
  body?: JsonObject,
): Promise<{ status: number; body: JsonObject }> {
  const answer = await request(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: jsonText(body) }),
  });
  const parsed = parseJson(await answer.body.text());
  return { status: answer.statusCode, body: isJsonObject(parsed) ? parsed : {} };
}
