import type { Fault, LinkEffect, ServerName } from '../plan/plan.ts';

type LinkFault = Extract<Fault, { kind: 'link' }>;

/** The present state of the links. */
export class Weather {
  readonly #active = new Set<LinkFault>();

  begin(fault: LinkFault): void {
    this.#active.add(fault);
  }

  end(fault: LinkFault): void {
    this.#active.delete(fault);
  }

  clear(): void {
    this.#active.clear();
  }

  of(coordinator: number, server: ServerName): LinkWeather {
    if (this.#active.size === 0) return CALM;
    const effects = new Map<LinkEffect, number>();
    for (const { from, to, effect, delayMs } of this.#active) {
      if ((from === null || from === coordinator) && (to === null || to === server)) {
        effects.set(effect, Math.max(delayMs, effects.get(effect) ?? 0));
      }
    }
    return {
      has: (effect) => effects.has(effect),
      delayMs: (effect) => effects.get(effect) ?? 0,
    };
  }
}

interface LinkWeather {
  has(effect: LinkEffect): boolean;
  /** The longest delay by this effect; 0 if the link does not have it. */
  delayMs(effect: LinkEffect): number;
}

const CALM: LinkWeather = { has: () => false, delayMs: () => 0 };
