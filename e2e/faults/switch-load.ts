import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { type ApiClient, cell } from '../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';

const PAUSE_MS = 20;
/** More than the life of a lease of a coordinator that died. */
const WRITTEN = { withinMs: 90_000, everyMs: 20 };

/** Callers of some coordinators, of a few keys each, that add 1 to the column `counter` and read, while a policy is switched. */
export class SwitchLoad {
  readonly ids: readonly number[];
  /** What no caller must see: a strict read below what was acknowledged before it, an answer that is not expected. */
  readonly faults: string[] = [];
  /** Reads are held to `strict` from here on. */
  isStrict = false;
  readonly #resource: string;
  readonly #counter: string;
  readonly #acknowledged = new Map<number, number>();
  readonly #loops: Promise<void>[];
  #isOn = true;

  constructor(
    ids: readonly number[],
    coordinators: readonly ApiClient[],
    { resource = 'profile', counter = 'n' } = {},
  ) {
    this.ids = ids;
    this.#resource = resource;
    this.#counter = counter;
    this.#loops = ids.flatMap((id) => coordinators.map((api) => this.#call(id, api)));
  }

  acknowledged(id: number): number {
    return this.#acknowledged.get(id) ?? 0;
  }

  /** Resolves when every key was written so many times more. */
  async written(times: number): Promise<void> {
    const goals = this.ids.map((id) => [id, this.acknowledged(id) + times] as const);
    await eventually(() => {
      for (const [id, goal] of goals) expect(this.acknowledged(id)).toBeGreaterThanOrEqual(goal);
    }, WRITTEN);
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#loops);
  }

  async #call(id: number, api: ApiClient): Promise<void> {
    while (this.#isOn) {
      try {
        await this.#write(id, api);
        await this.#read(id, api);
      } catch {
        await sleep(PAUSE_MS); // it is down, or paused
      }
    }
  }

  async #write(id: number, api: ApiClient): Promise<void> {
    const { status, body } = await api.patch(this.#resource, id, { $inc: { [this.#counter]: 1 } });
    if (status === 200) this.#note(id, Number(body.value?.[this.#counter]));
    else if (status < 500 && !(body.code === 'FENCED' && body.outcome === 'not_applied'))
      this.faults.push(`write of ${id}: ${status} ${body.code ?? ''} ${body.outcome ?? ''}`);
  }

  async #read(id: number, api: ApiClient): Promise<void> {
    const [wasStrict, least] = [this.isStrict, this.acknowledged(id)];
    const read = await api.get(this.#resource, id);
    if (read.status !== 200) return;
    const seen = Number(cell(read, this.#counter));
    if (wasStrict && seen < least)
      this.faults.push(`read of ${id}: ${seen} after ${least}, from its ${read.body.source}`);
  }

  #note(id: number, n: number): void {
    this.#acknowledged.set(id, Math.max(this.acknowledged(id), n));
  }
}
