/**
 * One caller: one thing after another. Every number that it puts is unique in the run: `serial * STEP`, and increments
 * add 1, fewer than STEP in all. After a write without an answer it goes on under another client number; sometimes it
 * repeats the write first, with the same idempotency key, until its outcome is known.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from '@lockstep/checkers';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import type { Endpoint, Request } from './endpoint.ts';
import { GuardingCaller } from './guarding-caller.ts';
import { COLD_KEYS, type KeyOf, MAX_HOT_KEYS, SPREAD_KEYS } from './keys.ts';
import type { Ending } from './ending.ts';
import type { MarkedWrite } from './ledger.ts';
import type { Doing } from './mix.ts';
import type { LoadOptions } from './options.ts';
import { ServiceCaller } from './service-caller.ts';
import { requestOf } from './write-request.ts';

const STEP = 1_000_000;
const MAX_REPEATS = 3;
/** A caller that was refused or got no answer waits so long at most before it goes on. */
const REFUSED_PAUSE_MS = 40;

export class Caller {
  readonly #options: LoadOptions;
  readonly #random: SeededRandom;
  readonly #nextSerial: () => number;
  readonly #doings: Doing[];
  readonly #byClient: ServiceCaller;
  readonly #guarding: GuardingCaller;
  #client: number;

  constructor(options: LoadOptions, random: SeededRandom, nextSerial: () => number) {
    this.#options = options;
    this.#random = random;
    this.#nextSerial = nextSerial;
    this.#client = options.ledger.newClient();
    const nextNumber = (): number => nextSerial() * STEP;
    this.#byClient = new ServiceCaller(options, random, nextNumber);
    this.#guarding = new GuardingCaller(options, random, nextNumber, () => this.#pickEndpoint());
    this.#doings = (Object.keys(options.mix) as Doing[]).flatMap((doing) =>
      Array.from({ length: options.mix[doing] }, () => doing),
    );
  }

  async act(): Promise<void> {
    const key = this.#pickKey();
    switch (this.#random.pick(this.#doings)) {
      case 'read':
        await this.#read(key, false);
        return;
      case 'readPrimary':
        await this.#read(key, true);
        return;
      case 'cacheRead':
        return this.#readCache(key);
      case 'compare':
        return this.#compare(key);
      case 'put':
        return this.#put(key);
      case 'increment':
        return this.#increment(key);
      case 'compareAndSet':
        return this.#compareAndSet(key);
      case 'delete':
        return this.#write({ ...key, op: 'delete', n: null }, { op: 'delete' });
      case 'refused':
        return this.#sendToBeRefused(key);
      case 'fillAndWrite':
        return this.#fillAndWrite();
      case 'clientRead':
        return this.#byClient.read(key);
      case 'clientCompare':
        await this.#read(key, true);
        return this.#byClient.read(key);
      case 'clientWrites':
        return this.#byClient.writeTogether(key);
      case 'clientInsert':
        return this.#byClient.insert();
      case 'computed':
        return this.#byClient.computed();
      case 'guarded':
        return this.#guarding.act(key);
    }
  }

  #pickKey(): KeyOf {
    const { firstId, hotShare, hotKeys, resources } = this.#options;
    const resource = this.#random.pick(resources);
    const isHot = this.#random.chance(hotShare);
    const offset = isHot
      ? this.#random.below(hotKeys)
      : MAX_HOT_KEYS + this.#random.below(SPREAD_KEYS);
    return { resource, id: firstId + offset };
  }

  async #read(key: KeyOf, primary: boolean): Promise<Ending> {
    const request: Request = {
      ...key,
      method: 'GET',
      ...(primary ? { query: '?consistency=primary' } : {}),
    };
    const ending = await this.#call(
      key,
      primary ? { op: 'read', primary: true } : { op: 'read' },
      request,
    );
    await this.#restIfRefused(ending);
    return ending;
  }

  async #readCache(key: KeyOf): Promise<void> {
    const { ledger, cache } = this.#options;
    const id = ledger.invoke({
      client: this.#client,
      key: `${key.resource}:${key.id}`,
      op: 'cache-read',
      via: 'cache',
    });
    ledger.complete(id, await cache.read(key.resource, key.id));
  }

  /** What the database has, and then at once what the cache says. */
  async #compare(key: KeyOf): Promise<void> {
    await this.#read(key, true);
    await this.#readCache(key);
  }

  #put(key: KeyOf): Promise<void> {
    const n = this.#nextSerial() * STEP;
    return this.#write({ ...key, op: 'write', n }, { op: 'write', value: n });
  }

  #increment(key: KeyOf): Promise<void> {
    return this.#write({ ...key, op: 'increment', n: null }, { op: 'increment', by: 1 });
  }

  /** Reads, and writes only if nobody has in between. */
  async #compareAndSet(key: KeyOf): Promise<void> {
    const read = await this.#read(key, this.#random.chance(0.5));
    if (read.e !== 'ok') return;
    const { version, value } = read.answer;
    if (version === undefined || value === undefined || value === null) return this.#put(key);
    const n = this.#nextSerial() * STEP;
    return this.#write(
      { ...key, op: 'cas', n },
      { op: 'cas', value: n, ifMatch: version, expect: value },
    );
  }

  /** A write that the database must refuse: a constraint, or a version that never was. */
  #sendToBeRefused(key: KeyOf): Promise<void> {
    const n = this.#nextSerial() * STEP;
    if (this.#random.chance(0.5))
      return this.#write({ ...key, op: 'write', n: -n }, { op: 'write', value: -n });
    const ifMatch = STEP + n;
    return this.#write({ ...key, op: 'cas', n }, { op: 'cas', value: n, ifMatch });
  }

  /** Fills a cold key of the default policy, and changes it: an invalidation that is lost shows for good. */
  async #fillAndWrite(): Promise<void> {
    const { firstId } = this.#options;
    const key: KeyOf = {
      resource: 'profile',
      id: firstId + MAX_HOT_KEYS + SPREAD_KEYS + this.#random.below(COLD_KEYS),
    };
    const read = await this.#read(key, false);
    if (read.e !== 'ok') return;
    if (read.answer.value === null) await this.#put(key);
    else await this.#increment(key);
  }

  async #write(write: Omit<MarkedWrite, 'endings'>, call: Call): Promise<void> {
    const { ledger } = this.#options;
    const mark = ledger.mark(write);
    const idempotencyKey = this.#random.chance(0.5) ? mark : null;
    const request = requestOf(write, call, mark, idempotencyKey);
    let ending = await this.#call(write, call, request, mark, idempotencyKey);
    if (idempotencyKey === null) return this.#restIfRefused(ending);
    const wantsRepeat = ending.e === 'unknown' ? 0.7 : 0.05;
    for (let repeat = 0; repeat < MAX_REPEATS && this.#random.chance(wantsRepeat); repeat++) {
      if (ending.e === 'fail') break;
      await this.#restIfRefused(ending);
      ending = await this.#call(write, call, request, mark, idempotencyKey);
    }
    await this.#restIfRefused(ending);
  }

  async #call(
    { resource, id }: KeyOf,
    call: Call,
    request: Request,
    mark?: string,
    idempotencyKey?: string | null,
  ): Promise<Ending> {
    const { ledger } = this.#options;
    const endpoint = this.#pickEndpoint();
    const operation = ledger.invoke({
      client: this.#client,
      key: `${resource}:${id}`,
      via: endpoint.name,
      ...(typeof idempotencyKey === 'string' ? { idempotencyKey } : {}),
      ...call,
    });
    const ending = await endpoint.send(request);
    ledger.complete(operation, ending, mark);
    if (ending.e === 'unknown') this.#client = ledger.newClient();
    return ending;
  }

  /** As behind a load balancer: one that does not answer gets no more than its share of the callers. */
  #pickEndpoint(): Endpoint {
    const { endpoints, callers } = this.#options;
    const share = Math.ceil(callers / endpoints.length);
    const answering = endpoints.filter((each) => !each.isAvoided && each.inFlight < share);
    return this.#random.pick(answering.length > 0 ? answering : endpoints);
  }

  async #restIfRefused(ending: Ending): Promise<void> {
    if (ending.e !== 'ok') await sleep(this.#random.between(5, REFUSED_PAUSE_MS));
  }
}
