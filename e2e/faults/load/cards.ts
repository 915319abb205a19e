/**
 * What calls of the computed resource `card` are answered: the versions of the account and the profile of an id.
 *
 * Property (docs/SPEC.md, D12): a call is never answered a version below one that was acknowledged before the call.
 */
import { CARD_SOURCES, type CardSource } from '../cluster/tables.ts';

export type Card = Record<CardSource, number>;

export interface CardCall {
  /** @param card null where the call failed */
  end(card: Card | null): void;
}

const MAX_FAULTS = 20;

export class Cards {
  /** What was wrong, a line each. */
  readonly faults: string[] = [];
  /** The highest version that was acknowledged, by `RESOURCE:KEY`. */
  readonly #acknowledged = new Map<string, number>();
  #answered = 0;

  /** Calls that were answered a value. */
  get answered(): number {
    return this.#answered;
  }

  /** An answer said that nothing older than this version is served from the cache any more. */
  acknowledged(resource: string, id: number, version: number): void {
    const name = `${resource}:${id}`;
    this.#acknowledged.set(name, Math.max(version, this.#acknowledged.get(name) ?? 0));
  }

  /** Just before the call. */
  begin(id: number): CardCall {
    const least = CARD_SOURCES.map(
      (source) => [source, this.#acknowledged.get(`${source}:${id}`) ?? 0] as const,
    );
    return {
      end: (card) => {
        if (card === null) return;
        this.#answered += 1;
        for (const [source, version] of least) {
          if (card[source] >= version || this.faults.length >= MAX_FAULTS) continue;
          this.faults.push(
            `card ${id} has version ${card[source]} of ${source}:${id}, and ${version} was acknowledged before the call (D12)`,
          );
        }
      },
    };
  }
}
