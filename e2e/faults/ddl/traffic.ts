import { eventually } from '@lockstep/testkit/poll';
import { expect } from 'vitest';
import type { Answer, ApiClient } from '../../support/api-client.ts';
import type { SideDoor } from '../../support/side-door.ts';

/** Where traffic goes on beside Lockstep, too: a row that it writes and Lockstep only reads. */
export interface Besides {
  behind: SideDoor;
  id: number;
}

/** Adds to rows 1 to 3 and reads them, each call through another coordinator, until `end`. */
export class DdlTraffic {
  /** Answers other than 200. */
  readonly failures: Answer[] = [];
  /** Reads of a lower version than what was acknowledged before. */
  readonly stale: string[] = [];
  readonly #apis: readonly ApiClient[];
  readonly #table: string;
  readonly #loops: Promise<void>[];
  #rounds = 0;
  #isOver = false;

  constructor(apis: readonly ApiClient[], table: string, besides: Besides | null) {
    this.#apis = apis;
    this.#table = table;
    const added = [1, 2, 3].map((id) => this.#add(id));
    this.#loops = besides === null ? added : [...added, this.#changeBeside(besides)];
  }

  /** Resolves when each of them has gone round. */
  begun(): Promise<void> {
    return eventually(() => expect(this.#rounds).toBeGreaterThan(2 * this.#loops.length));
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  #api(count: number): ApiClient {
    const api = this.#apis[count % this.#apis.length];
    if (api === undefined) throw new RangeError('there is no coordinator');
    return api;
  }

  async #add(id: number): Promise<void> {
    for (let count = id; !this.#isOver; count += 1) {
      const written = await this.#api(count).patch(this.#table, id, { $inc: { n: 1 } });
      const read = await this.#api(count + 1).get(this.#table, id);
      this.failures.push(...[written, read].filter(({ status }) => status !== 200));
      const isOld = Number(read.body.version) < Number(written.body.version);
      if (written.status === 200 && read.status === 200 && isOld)
        this.stale.push(`${String(read.body.version)} after ${String(written.body.version)}`);
      this.#rounds += 1;
    }
  }

  /** Statements that find no table are of no interest here. */
  async #changeBeside({ behind, id }: Besides): Promise<void> {
    for (let count = 0; !this.#isOver; count += 1) {
      await behind
        .sql(`update ${this.#table} set n = n + 1 where id = ?`, [id])
        .catch(() => undefined);
      await this.#api(count).get(this.#table, id);
      this.#rounds += 1;
    }
  }
}
