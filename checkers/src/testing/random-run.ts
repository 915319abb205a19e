/**
 * A made-up service with concurrent clients, from a seed: right by construction, or wrong in one named way. Every
 * operation takes effect at one moment between its invocation and its answer; one with an unknown outcome has taken
 * effect, does so later, or never. Each recorded line is what a client would have seen.
 */
import { isJsonObject, type JsonValue, type Policy } from '@lockstep/shared';
import type { Answer, Call, History } from '../history.ts';
import { parseHistory } from '../reader.ts';
import { HistoryRecorder } from '../recorder.ts';
import { seeded } from './seeded.ts';

/** What the service gets wrong, now and then. */
export type Flaw =
  /** A read answers the version before the newest. */
  | 'stale read'
  /** An increment adds to the value before the newest. */
  | 'lost update'
  /** An increment counts twice. */
  | 'counted twice'
  /** A write is answered as refused and yet applied. */
  | 'refused yet applied'
  /** A write is acknowledged and not applied. */
  | 'acknowledged yet lost'
  /** A write takes two versions. */
  | 'skipped version'
  /** A repeat with the same idempotency key applies again. */
  | 'repeat applied again'
  /** A write on a condition ignores it. */
  | 'condition ignored'
  /** A write says `invalidated` before the old value has left the cache. */
  | 'dishonest cache';

export interface RunOptions {
  seed: number;
  operations: number;
  clients?: number;
  keys?: number;
  policy?: Policy;
  flaw?: Flaw;
  /** Share of operations whose outcome stays unknown. */
  unknown?: number;
}

interface Row {
  version: number;
  value: JsonValue;
  /** What was there before the last write. */
  earlier: { version: number; value: JsonValue };
  cached: { version: number; value: JsonValue } | null;
}

interface Sent {
  id: number;
  key: string;
  call: Call;
  idempotencyKey: string;
  stage: 'sent' | 'applied' | 'settled';
  answer: Answer;
  refusal: string | null;
}

interface Client {
  number: number;
  sent: Sent | null;
  /** What it sent last and sends again. */
  repeat: Pick<Sent, 'key' | 'call' | 'idempotencyKey'> | null;
  seen: Map<string, { version: number; value: JsonValue }>;
}

const FLAW_CHANCE = 0.05;

/** The lines of a run's history. */
export function randomRun(options: RunOptions): string[] {
  return new Run(options).lines();
}

/** A run's history, read back from its lines. */
export const randomHistory = (options: RunOptions): History => parseHistory(randomRun(options));

/** The same run with numbers for rows: each written one far from the others, and increments between them. */
export function asNumbers(lines: readonly string[]): string[] {
  const number = (_name: string, value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || !('text' in value)) return value;
    const { text, n } = value as { text: string; n: number };
    return Number(text.slice(1)) * 1_000_000 + n;
  };
  const withoutField = (name: string, value: unknown): unknown =>
    name === 'field' ? undefined : value;
  return lines.map((line) =>
    JSON.stringify(JSON.parse(line, number), (name, value: unknown) => withoutField(name, value)),
  );
}

class Run {
  readonly #options: Required<Omit<RunOptions, 'flaw'>> & { flaw: Flaw | null };
  readonly #random: () => number;
  readonly #lines: string[] = [];
  readonly #recorder: HistoryRecorder;
  readonly #rows = new Map<string, Row>();
  readonly #done = new Map<string, Answer>();
  /** Sent, given up by their clients, and perhaps applied later. */
  #late: Sent[] = [];
  #nowMs = 0;
  #serial = 0;

  constructor(options: RunOptions) {
    this.#options = {
      clients: 8,
      keys: 2,
      policy: 'strict',
      unknown: 0.03,
      ...options,
      flaw: options.flaw ?? null,
    };
    this.#random = seeded(options.seed);
    this.#recorder = new HistoryRecorder({
      resources: { account: { policy: this.#options.policy } },
      nowMs: () => (this.#nowMs += 0.125),
      write: (line) => this.#lines.push(line),
    });
  }

  lines(): string[] {
    const clients = Array.from({ length: this.#options.clients }, (): Client => this.#newClient());
    while (this.#recorder.operations < this.#options.operations) {
      const client = clients[Math.floor(this.#random() * clients.length)];
      if (client !== undefined) this.#step(client);
      if (this.#late.length > 0 && this.#chance(0.05)) this.#applyLate();
    }
    return this.#lines;
  }

  #newClient(): Client {
    return { number: this.#recorder.newClient(), sent: null, repeat: null, seen: new Map() };
  }

  #step(client: Client): void {
    const { sent } = client;
    if (sent === null) this.#send(client);
    else if (sent.stage === 'sent') this.#apply(sent);
    else if (sent.stage === 'applied') this.#settle(sent);
    else this.#answer(client, sent);
    if (client.sent !== null && client.sent.stage !== 'settled') this.#giveUpPerhaps(client);
  }

  #send(client: Client): void {
    const { key, call, idempotencyKey } = client.repeat ?? this.#newRequest(client);
    client.repeat = null;
    const id = this.#recorder.invoke({ client: client.number, key, ...call, idempotencyKey });
    client.sent = { id, key, call, idempotencyKey, stage: 'sent', answer: {}, refusal: null };
  }

  #newRequest(client: Client): Pick<Sent, 'key' | 'call' | 'idempotencyKey'> {
    const key = `account:${Math.floor(this.#random() * this.#options.keys)}`;
    return { key, call: this.#newCall(client.seen.get(key)), idempotencyKey: `k${++this.#serial}` };
  }

  #newCall(seen: { version: number; value: JsonValue } | undefined): Call {
    const value = { text: `u${++this.#serial}`, n: 0 };
    const dice = this.#random();
    if (dice < 0.4) return { op: 'read' };
    if (dice < 0.5) return { op: 'cache-read' };
    if (dice < 0.65) return { op: 'write', value };
    if (dice < 0.87) return { op: 'increment', by: 1, field: 'n' };
    if (dice < 0.9) return { op: 'delete' };
    if (seen === undefined) return { op: 'read', primary: true };
    return { op: 'cas', value, ifMatch: seen.version, expect: seen.value };
  }

  #apply(sent: Sent): void {
    sent.stage = 'applied';
    const row = this.#row(sent.key);
    if (sent.call.op === 'read' || sent.call.op === 'cache-read') {
      this.#read(sent, row);
      return;
    }
    const before = this.#done.get(sent.idempotencyKey);
    if (before !== undefined && !this.#goesWrong('repeat applied again')) {
      sent.answer = before;
      return;
    }
    this.#write(sent, row);
  }

  #read(sent: Sent, row: Row): void {
    const newest = { version: row.version, value: row.value };
    const goesPast = sent.call.op === 'read' && sent.call.primary === true;
    if (this.#options.policy === 'strict' || goesPast) {
      const answer = this.#goesWrong('stale read') ? row.earlier : newest;
      sent.answer = { ...answer, source: 'primary' };
      return;
    }
    if (row.cached !== null) {
      sent.answer = { ...row.cached, source: 'cache' };
      return;
    }
    if (sent.call.op === 'cache-read') {
      sent.refusal = 'MISS';
      return;
    }
    const found = this.#goesWrong('stale read') ? row.earlier : newest;
    row.cached = found;
    sent.answer = { ...found, source: 'primary' };
  }

  #write(sent: Sent, row: Row): void {
    const { call } = sent;
    const after = this.#valueAfter(call, row);
    if (typeof after === 'string') {
      sent.refusal = after;
      return;
    }
    const isLost = this.#goesWrong('acknowledged yet lost');
    const version = row.version + (this.#goesWrong('skipped version') ? 2 : 1);
    if (!isLost) {
      row.earlier = { version: row.version, value: row.value };
      row.version = version;
      row.value = after.value;
    }
    sent.answer = { version, value: after.value, cache: 'invalidated' };
    this.#done.set(sent.idempotencyKey, sent.answer);
    if (this.#goesWrong('refused yet applied')) sent.refusal = 'FENCED';
  }

  /** The value after a write, or why it is refused. */
  #valueAfter(call: Call, row: Row): { value: JsonValue } | string {
    if (call.op === 'write') return { value: call.value };
    if (call.op === 'delete') return row.value === null ? 'NOT_FOUND' : { value: null };
    if (call.op === 'cas') {
      const fits = call.ifMatch === row.version || this.#goesWrong('condition ignored');
      return fits ? { value: call.value } : 'VERSION_MISMATCH';
    }
    const from = this.#goesWrong('lost update') ? row.earlier.value : row.value;
    if (!isJsonObject(from)) return 'NOT_FOUND';
    const by = this.#goesWrong('counted twice') ? 2 : 1;
    return { value: { ...from, n: Number(from['n']) + by } };
  }

  /** What happens between the effect and the answer: the old value leaves the cache. */
  #settle(sent: Sent): void {
    sent.stage = 'settled';
    const isRead = sent.call.op === 'read' || sent.call.op === 'cache-read';
    if (!isRead && !this.#goesWrong('dishonest cache')) this.#row(sent.key).cached = null;
  }

  #answer(client: Client, sent: Sent): void {
    client.sent = null;
    if (sent.refusal !== null) {
      this.#recorder.fail(sent.id, sent.refusal);
      return;
    }
    this.#recorder.ok(sent.id, sent.answer);
    const { version, value } = sent.answer;
    if (version !== undefined && value !== undefined) client.seen.set(sent.key, { version, value });
    if (this.#chance(0.03)) client.repeat = sent;
  }

  #giveUpPerhaps(client: Client): void {
    const { sent } = client;
    if (sent === null || !this.#chance(this.#options.unknown)) return;
    if (this.#chance(0.5)) this.#recorder.unknown(sent.id, 'TIMED_OUT');
    client.number = this.#recorder.newClient();
    client.sent = null;
    this.#late.push(sent);
    if (this.#chance(0.5)) client.repeat = sent;
  }

  #applyLate(): void {
    const [sent] = this.#late.splice(Math.floor(this.#random() * this.#late.length), 1);
    if (sent === undefined || this.#chance(0.3)) return;
    if (sent.stage === 'sent') this.#apply(sent);
    if (sent.stage === 'applied') this.#settle(sent);
  }

  #row(key: string): Row {
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const nothing = { version: 0, value: null };
    const row: Row = { ...nothing, earlier: nothing, cached: null };
    this.#rows.set(key, row);
    return row;
  }

  #goesWrong(flaw: Flaw): boolean {
    return this.#options.flaw === flaw && this.#chance(FLAW_CHANCE);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}
