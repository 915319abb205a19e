/** A client: carries out its planned operations, one after the other, and trusts the answers. */
import type { Key, WriteReceipt, WriteRequest } from '../../../server/src/domain/index.ts';
import { repair } from '../../../server/src/audits/repair.ts';
import type { ClientAction, PlannedOperation } from '../plan/plan.ts';
import { keyNamed } from '../world/resources.ts';
import type { World } from '../world/world.ts';
import { askCoordinator, hopsOf, readCache } from './ask.ts';
import type { Told } from './client-history.ts';
import type { Judge } from './judge.ts';
import { GuardedCaller } from './guarded-caller.ts';
import { ServiceCalls } from './service-calls.ts';
import { toldBy } from './told.ts';
import { writeOf } from './writes.ts';

export interface ClientParts {
  world: World;
  judge: Judge;
  /** From 1. */
  number: number;
}

const SECOND_LATER_MS = 40;

export class Client {
  readonly #world: World;
  readonly #judge: Judge;
  readonly #number: number;
  /** The newest version in any answer, by key. */
  readonly #seen = new Map<string, number>();
  #hopMs: () => number = () => 0;

  constructor({ world, judge, number }: ClientParts) {
    this.#world = world;
    this.#judge = judge;
    this.#number = number;
  }

  /** Resolves when every operation has ended. */
  async run(operations: readonly PlannedOperation[]): Promise<void> {
    for (const operation of operations) {
      await this.#pause(operation.atMs - this.#world.scheduler.nowMs);
      await this.#carryOut(operation);
    }
  }

  async #carryOut(operation: PlannedOperation): Promise<void> {
    const { id, action, key: name, coordinator, service } = operation;
    this.#hopMs = hopsOf(this.#world, `operation ${id}`);
    // A text that no other operation writes.
    const mark = `${this.#number}.${id}`;
    const key = keyNamed(this.#world.resources, name);
    switch (action.do) {
      case 'read':
        return this.#read(key, coordinator, action.primary ? { consistency: 'primary' } : {});
      case 'read-at-least':
        return this.#read(key, coordinator, { minVersion: this.#seen.get(name) ?? 0 });
      case 'read-many':
        return this.#readMany(action.keys, coordinator);
      case 'cache-read':
        return this.#readCache(key);
      case 'invalidate':
        return this.#invalidate(key, coordinator);
      case 'repair':
        return this.#repair(key, coordinator);
      case 'transact':
        return this.#transact(action, mark, coordinator);
      case 'lease':
        return this.#lease(key, action, mark, coordinator);
      case 'guard':
        return this.#guarded(action, mark, coordinator);
      case 'client-read':
        return this.#by(service).read(action.keys);
      case 'client-write':
        return this.#by(service).write(action.keys, mark);
      case 'insert':
        return this.#by(service).insert(mark, action.twice ? this.#by(1 - service) : null);
      case 'read-inserted':
        return this.#readInserted(coordinator, service);
      case 'computed':
        return this.#by(service).computed(key.text, action);
      case 'put-twice': {
        const request = writeOf(action, key, mark, 0);
        const idempotency = { key: `once ${mark}`, requestHash: 'same' };
        const first = this.#write({ ...request, idempotency }, coordinator);
        // Repeated at once or after the answer, at another coordinator, as by a client behind a balancer.
        if (id % 2 === 0) await first;
        else await this.#pause(SECOND_LATER_MS);
        const other = (coordinator + 1) % this.#world.coordinators;
        await this.#write({ ...request, idempotency }, other);
        await first;
        return;
      }
      default:
        await this.#write(writeOf(action, key, mark, this.#seen.get(name) ?? 0), coordinator);
    }
  }

  #by(service: number): ServiceCalls {
    return new ServiceCalls({
      ...{ world: this.#world, judge: this.#judge, by: this.#number, service },
    });
  }

  async #readInserted(coordinator: number, service: number): Promise<void> {
    const name = this.#world.inserted.at(-1);
    if (name === undefined) return;
    const key = keyNamed(this.#world.resources, name);
    await this.#by(service).read([name]);
    await this.#read(key, coordinator, {});
  }

  async #read(
    key: Key,
    coordinator: number,
    options: { consistency?: 'primary'; minVersion?: number },
  ): Promise<void> {
    const words = options.minVersion === undefined ? '' : ` at least v${options.minVersion}`;
    const how = options.consistency === 'primary' ? 'read of the primary' : `read${words}`;
    const operation = this.#judge.beginRead(key, {
      ...options,
      by: this.#number,
      how,
      way: { coordinator },
    });
    const told = await this.#ask(coordinator, how, ({ engine }) => engine.reads.read(key, options));
    this.#judge.endRead(operation, told);
    if (told.status === 'ok') this.#note(key, told.answer.version);
  }

  async #readMany(names: readonly string[], coordinator: number): Promise<void> {
    const how = 'read among others';
    const keys = names.map((name) => keyNamed(this.#world.resources, name));
    const begun = keys.map((key) =>
      this.#judge.beginRead(key, { by: this.#number, how, way: { coordinator } }),
    );
    const told = await this.#ask(coordinator, `${how}: ${names.join(' ')}`, ({ engine }) =>
      Promise.all(keys.map((key) => toldBy(engine.reads.read(key, { together: true })))),
    );
    for (const [index, operation] of begun.entries()) {
      const one = told.status === 'ok' ? told.answer[index] : told;
      if (one === undefined) throw new Error('a read without its answer');
      this.#judge.endRead(operation, one);
      if (one.status === 'ok') this.#note(operation.key, one.answer.version);
    }
  }

  async #readCache(key: Key): Promise<void> {
    const how = 'read straight from the cache';
    const operation = this.#judge.beginRead(key, { by: this.#number, how, way: 'cache' });
    const stored = await readCache(this.#world, key.cacheKey, this.#caller);
    const entry = stored?.entry;
    if (entry?.state !== 'value') return this.#judge.missed(operation);
    const answer = { version: entry.version, row: entry.row, source: 'cache' as const };
    this.#judge.endRead(operation, { status: 'ok', answer });
    this.#note(key, entry.version);
  }

  async #write(request: WriteRequest, coordinator: number): Promise<Told<WriteReceipt>> {
    const operation = this.#judge.beginWrite(request, {
      by: this.#number,
      way: { coordinator },
    });
    const told = await this.#ask(
      coordinator,
      `${request.change.op} ${request.key.cacheKey}`,
      (process) => process.engine.writes.write(request),
    );
    this.#judge.endWrite(operation, told);
    if (told.status === 'ok') this.#note(request.key, told.answer.version);
    return told;
  }

  async #transact(
    { keys, refused }: Extract<ClientAction, { do: 'transact' }>,
    mark: string,
    coordinator: number,
  ): Promise<void> {
    const writes = keys.map((name, index) => {
      const key = keyNamed(this.#world.resources, name);
      const isRefused = refused && index === keys.length - 1;
      return writeOf({ do: isRefused ? 'refused' : 'put' }, key, mark, 0);
    });
    const operations = this.#judge.beginTransaction(writes, {
      by: this.#number,
      way: { coordinator },
    });
    const told = await this.#ask(coordinator, `transaction ${keys.join(' ')}`, ({ engine }) =>
      engine.writes.transact({ writes }),
    );
    for (const [index, operation] of operations.entries()) {
      this.#judge.endWrite(operation, oneOf(told, index));
    }
    if (told.status !== 'ok') return;
    for (const { key, version } of told.answer) this.#note(key, version);
  }

  /** Reads nothing in between, because nobody else may write meanwhile. */
  async #lease(
    key: Key,
    { ttlMs, writes, thinkMs }: Extract<ClientAction, { do: 'lease' }>,
    mark: string,
    coordinator: number,
  ): Promise<void> {
    const granted = await this.#ask(coordinator, `lease ${key.cacheKey}`, ({ engine }) =>
      engine.leases.grant(key, ttlMs),
    );
    if (granted.status !== 'ok') return;
    const { id } = granted.answer;
    const look = this.#judge.granted(key, this.#number);
    for (let write = 1; write <= writes; write += 1) {
      await this.#pause(thinkMs);
      const request = writeOf({ do: 'put' }, key, `${mark}.${write}`, 0);
      const told = await this.#write({ ...request, leaseId: id }, coordinator);
      look(told);
      if (told.status !== 'ok') break;
    }
    await this.#ask(coordinator, `release ${key.cacheKey}`, ({ engine }) =>
      Promise.resolve().then(() => engine.leases.release(id)),
    );
  }

  async #guarded(
    action: Extract<ClientAction, { do: 'guard' }>,
    mark: string,
    coordinator: number,
  ): Promise<void> {
    const caller = new GuardedCaller({
      ...{ world: this.#world, judge: this.#judge, number: this.#number, hopMs: this.#hopMs },
    });
    for (const [key, version] of await caller.run(action, mark, coordinator)) {
      this.#note(key, version);
    }
  }

  async #invalidate(key: Key, coordinator: number): Promise<void> {
    const ended = this.#judge.beginInvalidation(key);
    const told = await this.#ask(coordinator, `invalidate ${key.cacheKey}`, ({ engine }) =>
      engine.writes.invalidate([key], []),
    );
    ended(told);
  }

  /** Repairs as an audit does, with the entry that it saw a moment ago. */
  async #repair(key: Key, coordinator: number): Promise<void> {
    const stored = await readCache(this.#world, key.cacheKey, this.#caller);
    if (stored === null || stored.entry.state === 'intent') return;
    await this.#ask(coordinator, `repair ${key.cacheKey}`, ({ engine, ports, runtime }) => {
      const observation = { candidate: { key }, stored };
      const parts = { ...engine, entries: ports.entries, telemetry: { emit: () => {} }, runtime };
      return repair(parts, observation as Parameters<typeof repair>[1], 'stale', 'refresh');
    });
  }

  async #ask<T>(
    coordinator: number,
    what: string,
    run: Parameters<typeof askCoordinator<T>>[2]['run'],
  ): Promise<Told<T>> {
    return toldBy(askCoordinator(this.#world, coordinator, { ...this.#caller, what, run }));
  }

  get #caller(): { name: string; hopMs: () => number } {
    return { name: `client ${this.#number}`, hopMs: this.#hopMs };
  }

  #note(key: Key, version: number): void {
    this.#seen.set(key.cacheKey, Math.max(version, this.#seen.get(key.cacheKey) ?? 0));
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#world.scheduler.after(delayMs, resolve));
  }
}

/** The answer to a transaction, for one of its writes. */
function oneOf(told: Told<WriteReceipt[]>, index: number): Told<WriteReceipt> {
  if (told.status !== 'ok') return told;
  const answer = told.answer[index];
  if (answer === undefined) throw new Error('a write without its receipt');
  return { status: 'ok', answer };
}
