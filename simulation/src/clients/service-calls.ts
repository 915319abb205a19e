/** Calls that go through a service's client: the client decides what it answers from the cache and what it sends on. */
import type { AnyResult, ReadSink } from '../../../client/src/reads.ts';
import type { Key } from '../../../server/src/domain/index.ts';
import type { Row } from '@lockstep/shared';
import type { ClientAction } from '../plan/plan.ts';
import { type Card, loadCard } from '../services/card.ts';
import type { ServiceProcess } from '../services/service-process.ts';
import { INSERTED, keyNamed } from '../world/resources.ts';
import type { World } from '../world/world.ts';
import type { ReadTold } from './client-history.ts';
import type { Judge } from './judge.ts';
import type { ComputedTold } from './judge-computed.ts';
import { toldBy } from './told.ts';
import { writeOf } from './writes.ts';

/** How long a loader may take, and how long one waits for another's. */
const LOAD_TIMEOUT_MS = 500;
const WAIT_MS = 60;

interface CallerOptions {
  world: World;
  judge: Judge;
  /** The number of the client that calls. */
  by: number;
  /** From 0. */
  service: number;
}

export class ServiceCalls {
  readonly #world: World;
  readonly #judge: Judge;
  readonly #by: number;
  readonly #number: number;
  readonly #service: ServiceProcess;

  constructor({ world, judge, by, service }: CallerOptions) {
    this.#world = world;
    this.#judge = judge;
    this.#by = by;
    this.#number = service;
    this.#service = world.service(service);
  }

  /** Reads the keys in one tick. */
  async read(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#readOne(keyNamed(this.#world.resources, name))));
  }

  async #readOne(key: Key): Promise<void> {
    const { seen } = this.#service;
    const begun = this.#judge.beginRead(key, {
      ...{ by: this.#by, how: 'read by the client', way: { service: this.#number } },
      minVersion: seen.get(key.cacheKey) ?? 0,
    });
    const told = await toldBy(this.#readKey(key));
    this.#judge.endRead(begun, told);
    if (told.status === 'ok') this.#note(key.cacheKey, told.answer.version ?? 0);
  }

  #readKey(key: Key): Promise<ReadTold> {
    const { client, session } = this.#service;
    const asked = { resource: key.resource.name, key: key.text, options: {}, session };
    return new Promise((resolve, reject) => {
      const sink: ReadSink = { read: (result) => resolve(toldOf(result, key)), failed: reject };
      client.reads.read(asked, sink, 0);
    });
  }

  /** Writes the keys in one tick. */
  async write(names: readonly string[], mark: string): Promise<void> {
    await Promise.all(names.map((name, index) => this.#writeOne(name, `${mark}.${index}`, index)));
  }

  async #writeOne(name: string, mark: string, index: number): Promise<void> {
    const key = keyNamed(this.#world.resources, name);
    const isPut = index % 2 === 0;
    const action = isPut ? { do: 'put' as const } : { do: 'increment' as const, by: index };
    const idempotencyKey = `client-${mark}`;
    const { change } = writeOf(action, key, mark, 0);
    this.#judge.sends(idempotencyKey, change);
    const request = { key, change, idempotency: { key: idempotencyKey, requestHash: 'same' } };
    const begun = this.#judge.beginWrite(request, {
      by: this.#by,
      way: { service: this.#number },
    });
    const { client, session } = this.#service;
    const value = isPut ? { mark } : { $inc: { count: index } };
    const written = client.writes.write({
      ...{ op: isPut ? 'put' : 'patch', resource: key.resource.name, key: key.text, value },
      ...{ options: { idempotencyKey }, session },
    });
    const told = await toldBy(
      written.then(({ version, value, cache }) => ({
        ...{ version, value, cache },
        // The client does not say whether its answer is that of a repeat.
        replayed: this.#service.hasRepeated(idempotencyKey),
      })),
    );
    this.#judge.endWrite(begun, told);
    if (told.status === 'ok') this.#note(name, told.answer.version);
  }

  /** @param beside another service, which repeats the insert with the same idempotency key at the same time */
  async insert(mark: string, beside: ServiceCalls | null): Promise<void> {
    const idempotencyKey = `insert-${mark}`;
    const change = { op: 'put' as const, set: { mark }, onlyCreate: true };
    const insert = this.#judge.inserts.begin(this.#by, idempotencyKey, change);
    const send = async ({ client, session, seen }: ServiceProcess): Promise<void> => {
      const ended = this.#judge.inserts.sent(insert);
      const inserted = client.writes.write({
        ...{ op: 'insert', resource: INSERTED, key: undefined, value: { mark } },
        ...{ options: { idempotencyKey }, session },
      });
      const told = await toldBy(
        inserted.then(({ key, version }) => ({ name: `${INSERTED}:${String(key)}`, version })),
      );
      ended(told);
      if (told.status !== 'ok') return;
      seen.set(told.answer.name, told.answer.version);
      this.#world.inserted.push(told.answer.name);
    };
    await Promise.all([this.#service, ...(beside === null ? [] : [beside.#service])].map(send));
  }

  async computed(
    id: string,
    { staleIfErrorMs, refreshAheadMs }: Extract<ClientAction, { do: 'computed' }>,
  ): Promise<void> {
    const ended = this.#judge.computed.begin(id, this.#by);
    const answer = this.#service.client.computed.get({
      ...{ resource: 'card', key: id, load: () => this.#load(id) },
      options: {
        ...{ staleIfErrorMs, refreshAheadMs },
        ...{ loadTimeoutMs: LOAD_TIMEOUT_MS, waitMs: WAIT_MS },
      },
    });
    ended(await toldBy(answer as Promise<ComputedTold>));
  }

  async #load(id: string): Promise<Card> {
    try {
      return await loadCard(this.#world, this.#service, id);
    } catch (error) {
      this.#judge.computed.loaderFailed(id);
      throw error;
    }
  }

  #note(name: string, version: number): void {
    const { seen } = this.#service;
    seen.set(name, Math.max(version, seen.get(name) ?? 0));
  }
}

function toldOf(result: AnyResult, { resource }: Key): ReadTold {
  // That there is no row is answered without a source.
  if (result === null)
    return { version: null, row: null, source: null, isLocal: resource.level === 'local' };
  const { version, value, source } = result;
  const row = value as Row;
  return source === 'local'
    ? { version, row, source: null, isLocal: true }
    : { version, row, source };
}
