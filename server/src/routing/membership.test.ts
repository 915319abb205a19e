import { describe, expect, it } from 'vitest';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { Membership } from './membership.ts';
import type { Member, MembershipStore, OwnRow } from './port.ts';

const HEARTBEAT_MS = 1_000;
const EXPIRY_MS = 5_000;

interface Row extends OwnRow {
  seenAtMs: number;
  joinedAtMs: number;
}

/** The table of members in memory, with its own clock. */
class MemoryMembers implements MembershipStore {
  readonly rows = new Map<string, Row>();
  readonly #clock: ManualRuntime['clock'];
  beats = 0;
  prunes = 0;
  /** Called at the beginning of every call. */
  before: () => Promise<void> = () => Promise.resolve();

  constructor({ clock }: ManualRuntime) {
    this.#clock = clock;
  }

  async beat(own: OwnRow): Promise<Member[]> {
    this.beats += 1;
    await this.before();
    const nowMs = this.#clock.nowMs();
    const joinedAtMs = this.rows.get(own.instance)?.joinedAtMs ?? nowMs;
    this.rows.set(own.instance, { ...own, seenAtMs: nowMs, joinedAtMs });
    return [...this.rows.values()]
      .filter(({ seenAtMs, expiryMs }) => nowMs - seenAtMs < expiryMs)
      .map(({ instance, url, isLeaving, seenAtMs, joinedAtMs: joined }) => ({
        ...{ instance, url, isLeaving, isSelf: instance === own.instance },
        ...{ seenAgoMs: nowMs - seenAtMs, upMs: nowMs - joined },
      }));
  }

  async remove(instance: string): Promise<void> {
    await this.before();
    this.rows.delete(instance);
  }

  prune(): Promise<void> {
    this.prunes += 1;
    return Promise.resolve();
  }
}

function cluster() {
  const runtime = manualRuntime();
  const store = new MemoryMembers(runtime);
  const member = (
    instance: string,
    peers: Pick<ReadonlySet<string>, 'has'> = { has: () => true },
  ): Membership =>
    new Membership({
      ...{ instance, store, heartbeatMs: HEARTBEAT_MS, expiryMs: EXPIRY_MS, peers, runtime },
    });
  return { runtime, store, member };
}
const names = ({ members }: Membership): string[] => members.map(({ instance }) => instance);
const homes = ({ candidates }: Membership): string[] => candidates.map(({ item }) => item.instance);

describe('a member', () => {
  it('knows the others when it has joined, and they know it a heartbeat later (H4)', async () => {
    const { runtime, member } = cluster();
    const [one, two] = [member('one'), member('two')];
    await one.join('http://one.test');
    await two.join('http://two.test');
    expect(names(two)).toEqual(['one', 'two']);
    expect(names(one)).toEqual(['one']);
    await runtime.advance(HEARTBEAT_MS * 1.1);
    expect(names(one)).toEqual(['one', 'two']);
  });

  it('knows nobody once the database has been silent for the expiry (H4)', async () => {
    const { runtime, store, member } = cluster();
    const one = member('one');
    await one.join('http://one.test');
    store.before = () => Promise.reject(new Error('away'));
    await runtime.advance(EXPIRY_MS - 1);
    expect(names(one)).toEqual(['one']);
    await runtime.advance(1);
    expect(names(one)).toEqual([]);
    expect(one.isKnown).toBe(false);
    expect(runtime.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    store.before = () => Promise.resolve();
    await runtime.advance(HEARTBEAT_MS * 1.1);
    expect(names(one)).toEqual(['one']);
  });

  it('that was paused for the expiry knows nobody when it goes on (H4)', async () => {
    const { runtime, member } = cluster();
    const [one, two] = [member('one'), member('two')];
    await two.join('http://two.test');
    await one.join('http://one.test');
    expect(homes(one)).toEqual(['one', 'two']);
    runtime.stall(EXPIRY_MS);
    expect(homes(one)).toEqual([]);
  });

  it('counts a view from when its heartbeat was sent, not from when it was answered (H4)', async () => {
    const { runtime, store, member } = cluster();
    const one = member('one');
    await one.join('http://one.test');
    store.before = () => runtime.timers.sleep(EXPIRY_MS + 1);
    await runtime.advance(EXPIRY_MS + HEARTBEAT_MS + 100);
    expect(store.beats).toBeGreaterThan(1);
    expect(one.isKnown).toBe(false);
  });

  it('has one heartbeat under way at a time', async () => {
    const { runtime, store, member } = cluster();
    const one = member('one');
    await one.join('http://one.test');
    store.before = () => new Promise(() => undefined);
    await runtime.advance(20 * HEARTBEAT_MS);
    expect(store.beats).toBe(2);
  });

  it('is home of nothing as soon as it leaves, and still found by its leases (H7)', async () => {
    const { runtime, member } = cluster();
    const [one, two] = [member('one'), member('two')];
    await one.join('http://one.test');
    await two.join('http://two.test');
    one.leave();
    await runtime.settle();
    await runtime.advance(HEARTBEAT_MS * 1.1);
    expect(names(two)).toEqual(['one', 'two']);
    expect(homes(two)).toEqual(['two']);
    await one.stop();
    await runtime.advance(HEARTBEAT_MS * 1.1);
    expect(names(two)).toEqual(['two']);
    expect(names(one)).toEqual([]);
  });

  it('stops in bounded time where the database does not answer', async () => {
    const { runtime, store, member } = cluster();
    const one = member('one');
    await one.join('http://one.test');
    store.before = () => new Promise(() => undefined);
    let stopped = false;
    void one.stop().then(() => (stopped = true));
    await runtime.advance(1_000);
    expect(stopped).toBe(true);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('that died is gone for the others after the expiry (H4)', async () => {
    const { runtime, store, member } = cluster();
    const two = member('two');
    store.rows.set('dead', {
      ...{ instance: 'dead', url: 'http://dead.test', isLeaving: false, expiryMs: EXPIRY_MS },
      ...{ seenAtMs: 0, joinedAtMs: 0 },
    });
    await two.join('http://two.test');
    expect(homes(two)).toEqual(['dead', 'two']);
    await runtime.advance(EXPIRY_MS + HEARTBEAT_MS * 1.1);
    expect(homes(two)).toEqual(['two']);
  });

  it('that started again at its address is home of its keys at once, not its last life (H1)', async () => {
    const { runtime, store, member } = cluster();
    const url = 'http://same.test';
    store.rows.set('a-killed', {
      ...{ instance: 'a-killed', url, isLeaving: false, expiryMs: EXPIRY_MS },
      ...{ seenAtMs: 0, joinedAtMs: 0 },
    });
    await runtime.advance(10);
    const again = member('b-again');
    await again.join(url);
    expect(names(again)).toEqual(['a-killed', 'b-again']);
    expect(homes(again)).toEqual(['b-again']);
  });

  it('joins without the database, and finds the others when it is back', async () => {
    const { runtime, store, member } = cluster();
    const one = member('one');
    store.before = () => Promise.reject(new Error('away'));
    await one.join('http://one.test');
    expect(one.isKnown).toBe(false);
    store.before = () => Promise.resolve();
    await runtime.advance(HEARTBEAT_MS * 1.1);
    expect(names(one)).toEqual(['one']);
  });

  it('that is at no listed address is none, whatever its row says (H10)', async () => {
    const { runtime, store, member } = cluster();
    const one = member('one', new Set(['http://two.test']));
    const two = member('two');
    await two.join('http://two.test');
    const urls = [
      'http://evil.test',
      'http://two.test/',
      'http://a@two.test',
      '',
      'no url',
      'file:///x',
    ];
    for (const [index, url] of urls.entries()) {
      store.rows.set(`evil-${index}`, {
        ...{ instance: `evil-${index}`, url, isLeaving: false, expiryMs: EXPIRY_MS },
        ...{ seenAtMs: 0, joinedAtMs: 0 },
      });
    }
    await one.join('http://one.test');
    await runtime.settle();
    expect(names(one)).toEqual(['one', 'two']);
    expect(homes(one)).toEqual(['one', 'two']);
    await runtime.advance(HEARTBEAT_MS * 1.1);
    expect(names(two)).toContain('evil-0');
    expect(names(one)).toEqual(['one', 'two']);
  });
});
