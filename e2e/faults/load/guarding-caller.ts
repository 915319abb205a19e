/** What a caller does in transactions of its own under guards: it commits, rolls back, loses its connection, comes late or dies. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import { FAULT_RESOURCES, type FaultResource } from '../cluster/tables.ts';
import type { Ending } from './ending.ts';
import type { Endpoint } from './endpoint.ts';
import type { KeyOf } from './keys.ts';
import type { LoadOptions } from './options.ts';
import {
  drawThinkMs,
  type Mishap,
  type OwnTransactionEnd,
  takeGuard,
  tellGuard,
} from './own-transactions.ts';

const TTL_MS = 800;
const MISHAPS: readonly (readonly [Mishap, number])[] = [
  ['dies', 0.04],
  ['connection-cut', 0.05],
  ['rolls-back', 0.15],
];
/** Of those that have committed: they die before they tell. */
const UNTOLD_SHARE = 0.05;
/** Of those that tell: they tell another coordinator than the one that granted. */
const ELSEWHERE_SHARE = 0.3;

const isStrict = (resource: FaultResource): boolean =>
  FAULT_RESOURCES[resource].policy === 'strict';

export class GuardingCaller {
  readonly #options: LoadOptions;
  readonly #random: SeededRandom;
  readonly #nextNumber: () => number;
  readonly #pickEndpoint: () => Endpoint;

  /**
   * @param nextNumber a number that nobody else puts
   * @param pickEndpoint the coordinator that is asked
   */
  constructor(
    options: LoadOptions,
    random: SeededRandom,
    nextNumber: () => number,
    pickEndpoint: () => Endpoint,
  ) {
    this.#options = options;
    this.#random = random;
    this.#nextNumber = nextNumber;
    this.#pickEndpoint = pickEndpoint;
  }

  /** Does nothing to a key that no guard is for. */
  async act(key: KeyOf): Promise<void> {
    if (!isStrict(key.resource)) return;
    const { ledger, transactions } = this.#options;
    const endpoint = this.#pickEndpoint();
    const guard = await takeGuard(endpoint, key, TTL_MS);
    if (guard === null) return;
    const n = this.#random.chance(0.5) ? this.#nextNumber() : null;
    const mark = ledger.mark({ ...key, op: n === null ? 'increment' : 'write', n });
    const operation = ledger.invoke({
      client: ledger.newClient(),
      key: `${key.resource}:${key.id}`,
      via: `guard of ${endpoint.name}`,
      ...(n === null ? { op: 'increment', by: 1 } : { op: 'write', value: n }),
    });
    await sleep(drawThinkMs(this.#random, TTL_MS));
    const end = await transactions.run(key, guard.fence, { n, mark }, this.#mishap());
    ledger.complete(operation, await this.#tell(endpoint, guard.id, end), mark);
  }

  #mishap(): Mishap {
    const found = MISHAPS.find(([, share]) => this.#random.chance(share));
    return found === undefined ? 'none' : found[0];
  }

  async #tell(endpoint: Endpoint, guard: string, end: OwnTransactionEnd): Promise<Ending> {
    const isDead = end.state === 'dead' || this.#random.chance(UNTOLD_SHARE);
    if (isDead) return { e: 'unknown', code: 'NOT_TOLD' };
    const asked = this.#random.chance(ELSEWHERE_SHARE) ? this.#pickEndpoint() : endpoint;
    const ending = await tellGuard(asked, guard, end);
    if (end.state === 'committed' && ending.e === 'fail')
      this.#options.ledger.defects.push(`a guard that has committed was answered ${ending.code}`);
    return ending;
  }
}
