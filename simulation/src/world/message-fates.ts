import type { Hazards, Mishap, MishapEffect } from '../plan/plan.ts';
import { SeededRandom } from '@lockstep/testkit/seeded-random';

/** What happens to one message, independently of the links' present state. */
export interface Fate {
  losesRequest: boolean;
  losesReply: boolean;
  diesWithSender: boolean;
  /** How long each way takes if nothing is slow, in ms. */
  requestMs: number;
  replyMs: number;
  /** The additional delay of the request. @param weatherMs the longest delay of the link at present; 0: none */
  slowRequestMs(weatherMs: number): number;
  slowReplyMs(weatherMs: number): number;
  /** How much later it arrives a second time; null: it does not. */
  againMs(always: boolean): number | null;
}

const QUICK_MS: readonly [number, number] = [0.1, 1.5];
const SLOW_MS: readonly [number, number] = [5, 600];
const DIES_WITH_SENDER = 0.3;

export class MessageFates {
  /** The random disturbances that happened, in the order in which the messages were sent. */
  readonly struck: Mishap[] = [];
  readonly #seed: number;
  readonly #planned: ReadonlyMap<string, ReadonlySet<MishapEffect>>;
  readonly #sent = new Map<string, number>();
  #hazards: Hazards;

  /** @param mishaps disturbances that happen for certain, in addition to the random ones by `hazards` */
  constructor(seed: number, hazards: Hazards, mishaps: readonly Mishap[]) {
    this.#seed = seed;
    this.#hazards = hazards;
    const planned = new Map<string, Set<MishapEffect>>();
    for (const { message, effect } of mishaps) {
      planned.set(message, (planned.get(message) ?? new Set()).add(effect));
    }
    this.#planned = planned;
  }

  /** Ends all random disturbances. */
  calm(): void {
    this.#hazards = { lose: 0, slow: 0, repeat: 0 };
  }

  of(caller: string, server: string, message: { name: string; about: string }): Fate {
    const [verb = ''] = message.name.split(' ', 1);
    const kind = `${caller} > ${server} ${verb} ${message.about}`;
    const count = (this.#sent.get(kind) ?? 0) + 1;
    this.#sent.set(kind, count);
    const name = `${kind} #${count}`;
    const random = SeededRandom.of(this.#seed, name);
    const { lose, slow, repeat } = this.#hazards;
    const draw = (effect: MishapEffect, probability: number): boolean => {
      const happens = random.chance(probability) || this.#planned.get(name)?.has(effect) === true;
      if (happens) this.struck.push({ message: name, effect });
      return happens;
    };
    const requestMs = random.between(...QUICK_MS);
    const replyMs = random.between(...QUICK_MS);
    const late = random.between(...SLOW_MS);
    const weatherShare = random.next();
    const slowsRequest = draw('slow-request', slow);
    const slowsReply = draw('slow-reply', slow);
    const comesAgain = draw('repeat', repeat);
    const delayMs = (isSlow: boolean, weatherMs: number): number =>
      Math.max(isSlow ? late : 0, weatherMs * weatherShare);
    return {
      ...{ requestMs, replyMs },
      losesRequest: draw('lose-request', lose),
      losesReply: draw('lose-reply', lose),
      diesWithSender: random.chance(DIES_WITH_SENDER),
      slowRequestMs: (weatherMs) => delayMs(slowsRequest, weatherMs),
      slowReplyMs: (weatherMs) => delayMs(slowsReply, weatherMs),
      againMs: (always) => (always || comesAgain ? late : null),
    };
  }
}
