/** What a caller does by way of a service's client. Calls of one tick go together: each is a client of its own in the history. */
import type { Call } from '@lockstep/checkers';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import { type KeyOf, MAX_HOT_KEYS } from './keys.ts';
import type { LoadOptions } from './options.ts';
import type { Service } from './service.ts';

/** Writes of one tick. */
const MOST_TOGETHER = 6;
const MAX_THINK_MS = 20;

export class ServiceCaller {
  readonly #options: LoadOptions;
  readonly #random: SeededRandom;
  readonly #nextNumber: () => number;

  /** @param nextNumber a number that nobody else puts */
  constructor(options: LoadOptions, random: SeededRandom, nextNumber: () => number) {
    this.#options = options;
    this.#random = random;
    this.#nextNumber = nextNumber;
  }

  async read(key: KeyOf): Promise<void> {
    const { ledger } = this.#options;
    const service = this.#service();
    const id = this.#invoke(key, service, { op: 'read' });
    ledger.complete(id, await service.read(key));
  }

  /** Several writes of one key in one tick, which go into one batch and may share a transaction. */
  async writeTogether(key: KeyOf): Promise<void> {
    const service = this.#service();
    const count = this.#random.whole(2, MOST_TOGETHER);
    await Promise.all(Array.from({ length: count }, () => this.#write(key, service)));
  }

  async #write(key: KeyOf, service: Service): Promise<void> {
    const { ledger } = this.#options;
    if (this.#random.chance(0.5)) {
      const n = this.#nextNumber();
      const mark = ledger.mark({ ...key, op: 'write', n });
      const id = this.#invoke(key, service, { op: 'write', value: n }, mark);
      ledger.complete(id, await service.put(key, { n, writer: mark }, mark), mark);
    } else {
      const mark = ledger.mark({ ...key, op: 'increment', n: null });
      const id = this.#invoke(key, service, { op: 'increment', by: 1 }, mark);
      ledger.complete(id, await service.increment(key, mark, mark), mark);
    }
  }

  async insert(): Promise<void> {
    const { ledger } = this.#options;
    const n = this.#nextNumber();
    const insert = ledger.inserts.begin(n);
    const { ending, id } = await this.#service().insert({ n, writer: insert.mark }, insert.mark);
    ledger.inserts.end(insert, ending, id);
  }

  async computed(): Promise<void> {
    const { firstId, ledger } = this.#options;
    const id = firstId + this.#random.below(MAX_HOT_KEYS);
    const call = ledger.cards.begin(id);
    const thinkMs = this.#random.between(0, MAX_THINK_MS);
    const staleIfErrorMs = this.#random.pick([0, 0, 1_000]);
    call.end(await this.#service().card(id, thinkMs, staleIfErrorMs));
  }

  #service(): Service {
    return this.#random.pick(this.#options.services);
  }

  #invoke(key: KeyOf, service: Service, call: Call, idempotencyKey?: string): number {
    const { ledger } = this.#options;
    return ledger.invoke({
      ...{ client: ledger.newClient(), key: `${key.resource}:${key.id}`, via: service.name },
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...call,
    });
  }
}
