import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Answer, ApiClient } from '../../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import type { Cluster } from '../cluster/cluster.ts';

const WITHIN = { withinMs: 90_000, everyMs: 20 };
const PAUSE_MS = 20;
const REPEATS_MS = 20_000;
const TIMEOUT_MS = '1500';

interface Attempt {
  mark: string;
  outcome: 'acknowledged' | 'refused' | 'unknown';
  version: number;
  code: string;
}

/**
 * Callers of several coordinators that add 1 to one row, each with a mark of its own; half of them with an idempotency
 * key, repeated at the next coordinator until its outcome is known. What the row's trigger recorded shows afterwards
 * whether every answer was true.
 */
export class RoutedIncrements {
  readonly #attempts: Attempt[] = [];
  readonly #cluster: Cluster;
  readonly #apis: readonly ApiClient[];
  readonly #id: number;
  readonly #loops: Promise<void>[];
  #isOn = true;
  #serial = 0;

  constructor(cluster: Cluster, apis: readonly ApiClient[], id: number) {
    this.#cluster = cluster;
    this.#apis = apis;
    this.#id = id;
    this.#loops = apis.flatMap((_, index) =>
      [false, true].map((isKeyed) => this.#loop(index, isKeyed)),
    );
  }

  /** Codes of those that were not acknowledged. */
  get codes(): string[] {
    return this.#attempts.flatMap(({ outcome, code }) =>
      outcome === 'acknowledged' ? [] : [code],
    );
  }

  get unknown(): number {
    return this.#count('unknown');
  }

  /** Resolves when so many more were acknowledged. */
  async acknowledgedTimes(times: number): Promise<void> {
    const goal = this.#count('acknowledged') + times;
    await eventually(
      () => expect(this.#count('acknowledged')).toBeGreaterThanOrEqual(goal),
      WITHIN,
    );
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#loops);
  }

  /** Every answer was true, each increment stands once, and the chain of versions has no gap. */
  async expectTruth(): Promise<void> {
    await eventually(async () => {
      const rows = await this.#cluster.behind.sql(
        `select n, writer from changes where table_name = 'accounts' and id = ? order by seq`,
        [this.#id],
      );
      const marks = rows.map(({ writer }) => writer);
      expect(rows.map(({ n }) => Number(n))).toEqual(rows.map((_, index) => index));
      expect(new Set(marks).size).toBe(marks.length);
      for (const { mark, outcome, version } of this.#attempts) {
        if (outcome === 'acknowledged') expect(marks.indexOf(mark)).toBe(version - 1);
        if (outcome === 'refused') expect(marks).not.toContain(mark);
      }
      for (const api of this.#apis) {
        const read = await api.get('account', this.#id);
        expect(read.body).toMatchObject({ version: rows.length, value: { n: rows.length - 1 } });
      }
    }, WITHIN);
  }

  #count(outcome: Attempt['outcome']): number {
    return this.#attempts.filter((attempt) => attempt.outcome === outcome).length;
  }

  async #loop(index: number, isKeyed: boolean): Promise<void> {
    while (this.#isOn) {
      const mark = `${this.#id}-${index}-${isKeyed ? 'keyed' : 'plain'}-${++this.#serial}`;
      const attempt = isKeyed ? await this.#repeat(index, mark) : await this.#send(index, mark, {});
      this.#attempts.push(attempt);
      if (attempt.outcome !== 'acknowledged') await sleep(PAUSE_MS);
    }
  }

  /** Asks one after the other until somebody knows. */
  async #repeat(index: number, mark: string): Promise<Attempt> {
    const deadlineMs = performance.now() + REPEATS_MS;
    for (let attempts = index; ; attempts += 1) {
      const attempt = await this.#send(attempts, mark, { 'idempotency-key': mark });
      // A refused repeat says nothing of the sending before it.
      const isKnown =
        attempt.outcome === 'acknowledged' || (attempts === index && attempt.outcome === 'refused');
      if (isKnown) return attempt;
      if (performance.now() > deadlineMs) return { ...attempt, outcome: 'unknown' };
      await sleep(PAUSE_MS);
    }
  }

  async #send(attempts: number, mark: string, headers: Record<string, string>): Promise<Attempt> {
    const api = this.#apis[attempts % this.#apis.length];
    const body = { $inc: { n: 1 }, writer: mark };
    const answer = await api
      ?.call('PATCH', `/v1/resources/account/${this.#id}`, {
        ...{ body, timeoutMs: 8_000 },
        headers: { 'lockstep-timeout': TIMEOUT_MS, ...headers },
      })
      .catch(() => null);
    return {
      mark,
      outcome: outcomeOf(answer ?? null),
      version: answer?.body.version ?? 0,
      code: answer?.body.code ?? 'no answer',
    };
  }
}

/** A call that broke off is as unknown as one that says so. */
function outcomeOf(answer: Answer | null): Attempt['outcome'] {
  if (answer?.status === 200) return 'acknowledged';
  return answer?.body.outcome === 'not_applied' ? 'refused' : 'unknown';
}
