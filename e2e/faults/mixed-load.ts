/**
 * A mixed load that survives the death of the coordinator under it and afterwards knows what must be true.
 *
 * Increments: many callers share few keys of a strict and a delete-after-write resource; each carries an idempotency
 * key of its own. One that was not acknowledged is either repeated after the restart, with its key, until it is
 * acknowledged (then it must count once), or dropped for good (then it may count once or not at all).
 * Puts: each key has one caller, who writes ever new values; the row must hold the last acknowledged value or one
 * that was sent after it and not acknowledged.
 * Spread increments: read, which fills the cache, then increment, over so many keys that hardly any is written again:
 * what a death leaves undone there is not set right by the next write.
 * Strict reads: never less than what was acknowledged or read before they were sent, over all restarts.
 */
import { ApiClient, cell, type Answer } from '../support/api-client.ts';
import type { RuntimeFile } from '@lockstep/testkit/instances/runtime-file';
import { newId } from '../support/shop.ts';

const COUNTERS = { account: 'balance', profile: 'visits' } as const;
const TEXTS = { account: 'owner', profile: 'name' } as const;
export type LoadedResource = keyof typeof COUNTERS;
const RESOURCES: readonly LoadedResource[] = ['account', 'profile'];

const KEYS_OF_EACH = 4;
const SPREAD_KEYS = 1_000;
const BATCH = 100;
const INCREMENTERS = 6;
const PUTTERS = 3;
const READERS = 4;
const SPREADERS = 8;

interface Counted {
  resource: LoadedResource;
  id: number;
  acknowledged: number;
  /** Not acknowledged and never repeated. */
  dropped: number;
  /** Not acknowledged so far: idempotency keys to repeat. */
  open: string[];
  leastVersion: number;
}

interface Owned {
  resource: LoadedResource;
  id: number;
  acknowledged: string;
  /** Sent after the last acknowledgement. */
  possible: string[];
}

export class MixedLoad {
  readonly counted: Counted[] = [];
  /** Of `profile`; nothing is ever repeated here. */
  readonly spread: Counted[] = [];
  readonly owned: Owned[] = [];
  readonly faults: string[] = [];
  #acknowledged = 0;
  #serial = 0;
  #running = false;
  #api: ApiClient | undefined;
  #callers: Promise<void>[] = [];

  /** Acknowledged writes so far. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Makes the rows. */
  async prepare(runtime: RuntimeFile): Promise<void> {
    const api = new ApiClient(runtime.url, runtime.serviceToken);
    for (const resource of RESOURCES) {
      for (let index = 0; index < KEYS_OF_EACH; index++) {
        const [shared, own] = [newId(), newId()];
        await api.put(resource, shared, { [TEXTS[resource]]: 'shared', [COUNTERS[resource]]: 0 });
        await api.put(resource, own, { [TEXTS[resource]]: 'first' });
        this.counted.push(countedKey(resource, shared));
        this.owned.push({ resource, id: own, acknowledged: 'first', possible: [] });
      }
    }
    while (this.spread.length < SPREAD_KEYS) {
      const keys = Array.from({ length: BATCH }, () => countedKey('profile', newId()));
      const value = { name: 'spread', visits: 0 };
      const operations = keys.map(({ resource, id }) => ({ op: 'put', resource, key: id, value }));
      const answer = await api.post('/v1/batch', { operations });
      if (answer.body.results?.some(({ status }) => status !== 201)) throw new Error(answer.text);
      this.spread.push(...keys);
    }
    await api.close();
  }

  /** Starts the callers; what the last run left open is repeated first. */
  start(runtime: RuntimeFile): void {
    this.#running = true;
    this.#api = new ApiClient(runtime.url, runtime.serviceToken);
    const api = this.#api;
    this.#callers = [
      ...Array.from({ length: INCREMENTERS }, () => this.#loop(() => this.#increment(api))),
      ...Array.from({ length: PUTTERS }, (_, putter) => this.#loop(() => this.#put(api, putter))),
      ...Array.from({ length: SPREADERS }, () => this.#loop(() => this.#fillAndIncrement(api))),
      ...Array.from({ length: READERS }, () => this.#loop(() => this.#read(api))),
      this.#repeatOpen(api),
    ];
  }

  /** Ends the callers, whether the coordinator still answers or not. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#callers);
    await this.#api?.close();
  }

  /** Repeats what is open until it is acknowledged. */
  async settle(runtime: RuntimeFile): Promise<void> {
    const api = new ApiClient(runtime.url, runtime.serviceToken);
    this.#running = true;
    await this.#repeatOpen(api);
    this.#running = false;
    await api.close();
    for (const { resource, id, open } of this.counted) {
      if (open.length > 0)
        this.faults.push(`${resource} ${id}: ${open.length} increments could not be repeated`);
    }
  }

  async #loop(step: () => Promise<boolean>): Promise<void> {
    while (this.#running) {
      // The coordinator is dead: this caller is done until the next start.
      if (!(await step())) return;
    }
  }

  #increment(api: ApiClient): Promise<boolean> {
    return this.#incrementOnce(api, pick(this.counted), true);
  }

  async #fillAndIncrement(api: ApiClient): Promise<boolean> {
    const target = pick(this.spread);
    const read = await unlessDead(api.get(target.resource, target.id));
    return read !== null && this.#incrementOnce(api, target, false);
  }

  async #incrementOnce(api: ApiClient, target: Counted, mayRepeat: boolean): Promise<boolean> {
    const serial = ++this.#serial;
    const key = `load-${target.id}-${serial}`;
    const answer = await this.#sendIncrement(api, target, key);
    if (answer?.status === 200) {
      this.#noteAcknowledged(target, answer);
      return true;
    }
    // A refusal says that it was not applied; silence says nothing.
    if (answer === null || answer.body.outcome === 'unknown') {
      if (mayRepeat && serial % 2 === 0) target.open.push(key);
      else target.dropped += 1;
    } else this.#noteRefusal(answer);
    return answer !== null;
  }

  #sendIncrement(api: ApiClient, target: Counted, key: string): Promise<Answer | null> {
    const body = { $inc: { [COUNTERS[target.resource]]: 1 } };
    return unlessDead(api.patch(target.resource, target.id, body, { 'idempotency-key': key }));
  }

  async #repeatOpen(api: ApiClient): Promise<void> {
    for (const target of this.counted) {
      while (this.#running && target.open.length > 0) {
        const [key] = target.open;
        if (key === undefined) break;
        const answer = await this.#sendIncrement(api, target, key);
        if (answer === null) return;
        if (answer.status === 200) {
          target.open.shift();
          this.#noteAcknowledged(target, answer);
        } else this.#noteRefusal(answer);
      }
    }
  }

  async #put(api: ApiClient, putter: number): Promise<boolean> {
    const target = pick(this.owned.filter((_, index) => index % PUTTERS === putter));
    const value = `value ${++this.#serial}`;
    target.possible.push(value);
    const answer = await unlessDead(
      api.put(target.resource, target.id, { [TEXTS[target.resource]]: value }),
    );
    if (answer === null) return false;
    if (answer.status === 200) {
      this.#acknowledged += 1;
      target.acknowledged = value;
      target.possible = [];
    } else if (answer.body.outcome === 'not_applied') {
      target.possible.pop();
      this.#noteRefusal(answer);
    }
    return true;
  }

  /** Half of the reads check what a strict one promises; the others only fill the cache, for what may then go stale. */
  async #read(api: ApiClient): Promise<boolean> {
    if (Math.random() < 0.5) {
      const { resource, id } = pick<{ resource: LoadedResource; id: number }>([
        ...this.counted,
        ...this.owned,
      ]);
      return (await unlessDead(api.get(resource, id))) !== null;
    }
    return this.#readStrictly(api);
  }

  async #readStrictly(api: ApiClient): Promise<boolean> {
    const target = pick(this.counted.filter((each) => each.resource === 'account'));
    const least = target.leastVersion;
    const answer = await unlessDead(api.get(target.resource, target.id));
    if (answer?.status !== 200) return answer !== null;
    const version = answer.body.version ?? -1;
    if (version < least) {
      this.faults.push(`account ${target.id}: read version ${version} after ${least}`);
    }
    const balance = cell(answer, 'balance');
    if (Number(balance) !== version - 1) {
      this.faults.push(`account ${target.id}: version ${version} with balance ${balance}`);
    }
    target.leastVersion = Math.max(target.leastVersion, version);
    return true;
  }

  #noteAcknowledged(target: Counted, answer: Answer): void {
    this.#acknowledged += 1;
    target.acknowledged += 1;
    target.leastVersion = Math.max(target.leastVersion, answer.body.version ?? 0);
  }

  /** Contention and the first moments after a start refuse politely; anything else is a fault. */
  #noteRefusal(answer: Answer): void {
    const polite = [429, 503].includes(answer.status) || answer.body.code === 'FENCED';
    if (!polite) this.faults.push(`answered ${answer.status} ${answer.text.slice(0, 300)}`);
  }
}

const countedKey = (resource: LoadedResource, id: number): Counted => ({
  resource,
  id,
  acknowledged: 0,
  dropped: 0,
  open: [],
  leastVersion: 1,
});

async function unlessDead(call: Promise<Answer>): Promise<Answer | null> {
  try {
    return await call;
  } catch {
    return null; // the connection broke: the coordinator is gone, and with it the answer
  }
}

function pick<T>(values: readonly T[]): T {
  const value = values[Math.floor(Math.random() * values.length)];
  if (value === undefined) throw new RangeError('Nothing to pick from');
  return value;
}
