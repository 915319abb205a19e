/** Checks what calls of `computed` are answered. */
import { type Card, sourcesOf } from '../services/card.ts';
import type { Referee } from '../rules/referee.ts';
import type { World } from '../world/world.ts';
import type { Told } from './client-history.ts';

export interface ComputedTold {
  value: Card;
  source: 'cache' | 'loader';
  stale?: boolean;
}

export class ComputedJudge {
  readonly #world: World;
  readonly #referee: Referee;
  /** How many runs of loaders have failed, by id. */
  readonly #failures = new Map<string, number>();
  #begun = 0;
  #open = 0;

  constructor(world: World, referee: Referee) {
    this.#world = world;
    this.#referee = referee;
  }

  get begun(): number {
    return this.#begun;
  }

  get open(): number {
    return this.#open;
  }

  loaderFailed(id: string): void {
    this.#failures.set(id, this.#failed(id) + 1);
  }

  /** @returns a function to be called with the answer */
  begin(id: string, by: number): (told: Told<ComputedTold>) => void {
    this.#begun += 1;
    this.#open += 1;
    const failedBefore = this.#failed(id);
    const floors = sourcesOf(this.#world.resources, id).map(([name, key]) => ({
      ...{ name, cacheKey: key.cacheKey },
      least: this.#referee.computedFloor(key.cacheKey),
    }));
    return (told) => {
      this.#open -= 1;
      if (told.status !== 'ok') return;
      const { value, source, stale = false } = told.answer;
      const what = `client ${by}: a computed value from the ${source}${stale ? ', past its TTL,' : ''}`;
      for (const { name, cacheKey, least } of floors) {
        if (value[name] >= least) continue;
        const message = `${what} has v${value[name]}, and v${least} was acknowledged before the call`;
        this.#referee.report('D12', cacheKey, message);
      }
      if (stale && this.#failed(id) === failedBefore)
        this.#referee.report('D13', `card:${id}`, `${what} was answered, and no loader had failed`);
    };
  }

  #failed(id: string): number {
    return this.#failures.get(id) ?? 0;
  }
}
