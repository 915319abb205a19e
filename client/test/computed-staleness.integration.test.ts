/**
 * Computed values under writers of the rows that they are made of, judged by the checkers, which share no code with the
 * client. The control fills without comparing the lease, and must be caught.
 */
import { judge, HistoryRecorder, parseHistory, type Judgement } from '@lockstep/checkers';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { describe, expect, test } from 'vitest';
import { type Client, LockstepError } from '../src/index.ts';
import { useBed } from './support/bed.ts';
import { newId } from './support/shop.ts';

const bed = useBed();
const KEYS = 3;
const WRITERS = 3;
const READERS = 6;
/** Of a run: a slow machine takes longer for them. */
const OPERATIONS = 600;

interface Seen {
  value: number;
  version: number;
}
type Reader = (id: number) => Promise<Seen | null>;

const random = new SeededRandom(11);

/** Reads the row from the database, and is slow to say so. */
async function load(client: Client, id: number): Promise<Seen | null> {
  const row = await client.get('profile', id, { consistency: 'primary' });
  await new Promise((resolve) => setTimeout(resolve, random.next() * 15));
  return row && { value: Number(row.value['visits']), version: row.version ?? 0 };
}

const byComputed =
  (client: Client): Reader =>
  async (id) =>
    (await client.computed('profile-card', id, () => load(client, id))).value;

/** The control `blind-computed-fill`: whatever stands in the cache by then, the value is put there. */
function fillingBlindly(client: Client): Reader {
  return async (id) => {
    const text = await bed.redis.get(`card:${id}`);
    if (text?.startsWith('{"s":"value"') === true)
      return (JSON.parse(text.slice(text.indexOf('\n') + 1)) as { value: Seen }).value;
    const value = await load(client, id);
    const header = '{"s":"value","v":0,"f":0,"t":0}';
    await bed.redis.set(`card:${id}`, `${header}\n${JSON.stringify({ value })}`, 'PX', 60_000);
    return value;
  };
}

async function runLoad(readers: readonly Reader[], writers: readonly Client[]): Promise<Judgement> {
  const lines: string[] = [];
  const recorder = new HistoryRecorder({
    resources: { profile: { policy: 'delete-after-write' } },
    nowMs: () => performance.now(),
    write: (line) => lines.push(line),
  });
  const ids = Array.from({ length: KEYS }, newId);
  const pick = (): number => ids[Math.floor(random.next() * ids.length)] ?? 0;
  let started = 0;
  const mayGoOn = (): boolean => (started += 1) <= OPERATIONS;
  let lastValue = 0;
  const write = async (client: Client): Promise<void> => {
    let caller = recorder.newClient();
    while (mayGoOn()) {
      const key = pick();
      const visits = ++lastValue;
      const call = { client: caller, key: `profile:${key}`, op: 'write', value: visits } as const;
      const id = recorder.invoke(call);
      try {
        const { version, cache } = await client.put('profile', key, { name: 'Ada', visits });
        recorder.ok(id, { value: visits, version, cache });
      } catch (error) {
        if (!(error instanceof LockstepError)) throw error;
        if (error.outcome === 'not_applied') recorder.fail(id, error.code);
        else recorder.unknown(id, error.code);
        caller = recorder.newClient();
      }
      await new Promise((resolve) => setTimeout(resolve, random.next() * 25));
    }
  };
  const read = async (reader: Reader): Promise<void> => {
    const caller = recorder.newClient();
    while (mayGoOn()) {
      const key = pick();
      const id = recorder.invoke({ client: caller, key: `profile:${key}`, op: 'read' });
      const seen = await reader(key);
      recorder.ok(id, seen === null ? { value: null } : seen);
    }
  };
  await Promise.all([...writers.map(write), ...readers.map(read)]);
  return judge(parseHistory(lines));
}

const clients = (count: number): Promise<Client[]> =>
  Promise.all(Array.from({ length: count }, () => bed.ready()));

describe('a computed value under writers', () => {
  test('D12: is never older than what was acknowledged before the call', async () => {
    const [one, other, ...writers] = await clients(2 + WRITERS);
    const shared = [one, other].flatMap((client) => (client === undefined ? [] : [client]));
    const readers = Array.from({ length: READERS }, (_, n) => byComputed(shared[n % 2] as Client));
    const { verdict, violations } = await runLoad(readers, writers);
    expect(violations.slice(0, 3)).toEqual([]);
    expect(verdict).toBe('holds');
  });

  test('D12: is old where it is filled without comparing the lease, and the checkers find it', async () => {
    const [client, ...writers] = await clients(1 + WRITERS);
    const readers = Array.from({ length: READERS }, () => fillingBlindly(client as Client));
    expect((await runLoad(readers, writers)).verdict).toBe('violated');
  });
});
