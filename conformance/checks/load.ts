import { setTimeout as sleep } from 'node:timers/promises';
import { describeViolation, HistoryRecorder, judge, parseHistory } from '@lockstep/checkers';
import type { JsonObject } from '@lockstep/shared';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { said, type Station } from '../station.ts';
import { atWarmStation, type Check } from './check.ts';
import { onlyReads } from './changes.ts';

const RUN_MS = 2_500;
const KEYS = 3;
const WRITERS = 3;
const READERS = 6;
const FAULT_EVERY_MS = 600;
const HANG_MS = 150;

/** Strict rows, written by a coordinator and read by the reader; the checkers judge what was answered. */
export const load: Check = {
  rules: ['run'],
  run: (options) =>
    atWarmStation(options, async (station) => {
      const lines: string[] = [];
      const run = new Run(station, (line) => lines.push(line));
      await run.carryOut();
      const { verdict, violations } = judge(parseHistory(lines));
      for (const violation of violations.slice(0, 3))
        station.broken('run', describeViolation(violation));
      if (verdict === 'unknown')
        station.findings.notJudged(['run'], 'the search of the checkers ended at its bound');
      if (run.readsAnswered === 0)
        station.broken('run', `no read was answered: ${run.lastRefusal}`);
      await onlyReads(station);
    }),
};

class Run {
  readsAnswered = 0;
  lastRefusal = 'there was none';
  readonly #station: Station;
  readonly #recorder: HistoryRecorder;
  readonly #random = new SeededRandom(7);
  readonly #ids: readonly number[];
  readonly #untilMs = performance.now() + RUN_MS;
  #lastValue = 0;

  constructor(station: Station, write: (line: string) => void) {
    this.#station = station;
    this.#ids = Array.from({ length: KEYS }, () => station.servers.newId());
    this.#recorder = new HistoryRecorder({
      resources: { account: { policy: 'strict' } },
      nowMs: () => performance.now(),
      write,
    });
  }

  async carryOut(): Promise<void> {
    await Promise.all([
      ...Array.from({ length: WRITERS }, () => this.#write()),
      ...Array.from({ length: READERS }, () => this.#read()),
      this.#faults(),
    ]);
  }

  get #isOver(): boolean {
    return performance.now() > this.#untilMs;
  }

  async #write(): Promise<void> {
    const client = this.#recorder.newClient();
    while (!this.#isOver) {
      const key = this.#random.pick(this.#ids);
      const value = ++this.#lastValue;
      const id = this.#recorder.invoke({ client, key: `account:${key}`, op: 'write', value });
      const row = { note: 'written', balance: value };
      const { version } = await this.#station.servers.write('account', [key], row);
      this.#recorder.ok(id, { value, version: version ?? 0 });
    }
  }

  async #read(): Promise<void> {
    const client = this.#recorder.newClient();
    while (!this.#isOver) {
      const key = this.#random.pick(this.#ids);
      const id = this.#recorder.invoke({ client, key: `account:${key}`, op: 'read' });
      const answer = await this.#station.reader.get({ resource: 'account', key: [key] });
      if ('error' in answer) {
        this.lastRefusal = said(answer);
        this.#recorder.fail(id, answer.error);
        continue;
      }
      this.readsAnswered += 1;
      if ('absent' in answer) this.#recorder.ok(id, { value: null });
      else {
        const value = Number((answer.value as JsonObject)['balance']);
        this.#recorder.ok(id, { value, version: answer.version ?? 0 });
      }
    }
  }

  /** The line to the cache is cut, or carries nothing for a moment. */
  async #faults(): Promise<void> {
    const { cache } = this.#station;
    for (let n = 0; !this.#isOver; n += 1) {
      await sleep(FAULT_EVERY_MS);
      if (n % 2 === 0) cache.cut();
      else {
        cache.hold('replies');
        await sleep(HANG_MS);
        cache.letGo();
      }
    }
  }
}
