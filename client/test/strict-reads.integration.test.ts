/**
 * Strict rows under writers, read by clients that go to the cache themselves. The history of each run is judged by the
 * checkers, which share no code with the client. The controls read the same entries with one rule broken, and must be
 * caught.
 */
import { judge, HistoryRecorder, parseHistory, type Judgement } from '@lockstep/checkers';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { describe, expect, test } from 'vitest';
import { type Client, LockstepError } from '../src/index.ts';
import { type Bed, useBed } from './support/bed.ts';
import { newId } from './support/shop.ts';

const bed = useBed();
const KEYS = 3;
const WRITERS = 4;
const READERS = 6;
const RUN_MS = 3_000;
/** A run on a busy machine lasts until there are so many. */
const LEAST_OPERATIONS = 400;
/** A reader that breaks a rule need not be caught in its first run. */
const MOST_RUNS = 10;

interface Seen {
  value: number | null;
  version: number;
}
/** How a reader reads; null: it does not know. */
type Reader = (id: number) => Promise<Seen | null>;

const byClient =
  (client: Client): Reader =>
  async (id) => {
    const row = await client.get('account', id);
    return row && { value: Number(row.value['balance']), version: row.version ?? 0 };
  };

/** Breaks RP3: where it meets an intent, it answers the value that it saw before. */
function ignoringIntents({ redis }: Bed, client: Client): Reader {
  const last = new Map<number, Seen>();
  return async (id) => {
    const entry = (await redis.get(`account:${id}`)) ?? '';
    const seen = entry.startsWith('{"s":"value"') ? seenIn(entry) : last.get(id);
    if (seen === undefined) return byClient(client)(id);
    last.set(id, seen);
    return seen;
  };
}

/** Breaks RP9: it keeps values of its own for a moment. */
function keepingValues(client: Client): Reader {
  const kept = new Map<number, { seen: Seen | null; untilMs: number }>();
  return async (id) => {
    const found = kept.get(id);
    if (found !== undefined && found.untilMs > performance.now()) return found.seen;
    const seen = await byClient(client)(id);
    kept.set(id, { seen, untilMs: performance.now() + 20 });
    return seen;
  };
}

function seenIn(entry: string): Seen {
  const [header = '', body = ''] = entry.split('\n');
  const { v } = JSON.parse(header) as { v: number };
  const row = JSON.parse(body) as { balance: number } | null;
  return { value: row && Number(row.balance), version: v };
}

/** Writers and readers side by side. */
async function runLoad(readers: readonly Reader[], writers: readonly Client[]): Promise<Judgement> {
  const lines: string[] = [];
  const recorder = new HistoryRecorder({
    resources: { account: { policy: 'strict' } },
    nowMs: () => performance.now(),
    write: (line) => lines.push(line),
  });
  const ids = Array.from({ length: KEYS }, newId);
  const random = new SeededRandom(7);
  const untilMs = performance.now() + RUN_MS;
  const pick = (): number => ids[Math.floor(random.next() * ids.length)] ?? 0;
  let lastValue = 0;
  let operations = 0;
  const goesOn = (): boolean => performance.now() < untilMs || operations < LEAST_OPERATIONS;
  const write = async (client: Client): Promise<void> => {
    let caller = recorder.newClient();
    while (goesOn()) {
      operations += 1;
      const key = pick();
      const value = ++lastValue;
      const id = recorder.invoke({ client: caller, key: `account:${key}`, op: 'write', value });
      try {
        const { version, cache } = await client.put('account', key, {
          owner: 'Ada',
          balance: value,
        });
        recorder.ok(id, { value, version, cache });
      } catch (error) {
        if (!(error instanceof LockstepError)) throw error;
        if (error.outcome === 'not_applied') recorder.fail(id, error.code);
        else {
          recorder.unknown(id, error.code);
          caller = recorder.newClient();
        }
      }
    }
  };
  const read = async (reader: Reader): Promise<void> => {
    const caller = recorder.newClient();
    while (goesOn()) {
      operations += 1;
      const key = pick();
      const id = recorder.invoke({ client: caller, key: `account:${key}`, op: 'read' });
      const seen = await reader(key);
      recorder.ok(
        id,
        seen === null ? { value: null } : { value: seen.value, version: seen.version },
      );
    }
  };
  await Promise.all([...writers.map(write), ...readers.map(read)]);
  return judge(parseHistory(lines));
}

const clients = (count: number): Promise<Client[]> =>
  Promise.all(Array.from({ length: count }, () => bed.ready()));

describe('a strict row', () => {
  test('RP3, RP9: is never read old by the client while writers run', async () => {
    const [one, other, ...writers] = await clients(2 + WRITERS);
    const shared = [one, other].flatMap((client) => (client === undefined ? [] : [client]));
    const readers = Array.from({ length: READERS }, (_, n) => byClient(shared[n % 2] as Client));
    const { verdict, violations, operations } = await runLoad(readers, writers);
    expect(violations.slice(0, 3)).toEqual([]);
    expect(verdict).toBe('holds');
    expect(operations).toBeGreaterThan(300);
  });

  test.each([
    ['ignores intents', (client: Client) => ignoringIntents(bed, client)],
    ['keeps values of its own', (client: Client) => keepingValues(client)],
  ])('is read old by a reader that %s, and the checkers find it', async (_, broken) => {
    const [client, ...writers] = await clients(1 + WRITERS);
    const readers = Array.from({ length: READERS }, () => broken(client as Client));
    let verdict: Judgement['verdict'] = 'holds';
    for (let runs = 0; runs < MOST_RUNS && verdict === 'holds'; runs += 1)
      ({ verdict } = await runLoad(readers, writers));
    expect(verdict).toBe('violated');
  });
});
