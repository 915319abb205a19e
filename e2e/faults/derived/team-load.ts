import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';
import { newTeam } from './derived-shop.ts';

/** Rows that move between teams, by writes through Lockstep and round it, while the teams are read; until `stop`. */
export class TeamLoad {
  readonly teams: readonly string[] = [newTeam(), newTeam(), newTeam()];
  readonly #bed: TestBed;
  readonly #ids = Array.from({ length: 4 }, newId);
  readonly #done = { through: 0, besides: 0 };
  #loops: Promise<void>[] = [];
  #isOn = true;
  #changes = 0;

  constructor(bed: TestBed) {
    this.#bed = bed;
  }

  async start(): Promise<void> {
    for (const id of this.#ids) {
      const answer = await this.#bed.api.put('plain', id, { team: this.#team(), name: 'a' });
      expect(answer.status, answer.text).toBe(201);
    }
    this.#loops = [
      this.#loop(40, async () => {
        const resource = this.#changes % 2 === 0 ? 'plain' : 'strict';
        const answer = await this.#bed.api.patch(resource, this.#id(), { team: this.#team() });
        if (answer.status === 200) this.#done.through += 1;
      }),
      this.#loop(30, async () => {
        const statement = 'UPDATE members SET team = ?, name = ? WHERE id = ?';
        await this.#bed.behind.sql(statement, [this.#team(), `n${this.#changes}`, this.#id()]);
        this.#done.besides += 1;
      }),
      ...['team', 'team', 'team-by-log'].map((resource) =>
        this.#loop(3, async () => void (await this.#bed.api.get(resource, this.#team()))),
      ),
    ];
  }

  /** Resolves when so many more writes were done. */
  until({ through, besides }: { through: number; besides: number }): Promise<void> {
    const before = { ...this.#done };
    return eventually(
      () => {
        expect(this.#done.through - before.through).toBeGreaterThanOrEqual(through);
        expect(this.#done.besides - before.besides).toBeGreaterThanOrEqual(besides);
      },
      { withinMs: 90_000 },
    );
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#loops);
  }

  async #loop(pauseMs: number, work: () => Promise<void>): Promise<void> {
    while (this.#isOn) {
      // A server is down just now: the next round finds it up.
      await work().catch(() => undefined);
      await sleep(pauseMs);
    }
  }

  #team(): string {
    this.#changes += 1;
    return this.teams[Math.floor(Math.random() * this.teams.length)] ?? '';
  }

  #id(): number {
    return this.#ids[Math.floor(Math.random() * this.#ids.length)] ?? 0;
  }
}
