/** Checks the clients' answers against what the referee knows. */
import type { Change, Key, WriteReceipt, WriteRequest } from '../../../server/src/domain/index.ts';
import { isSameRow, type Floors, type Referee } from '../rules/referee.ts';
import { TIMING } from '../world/timing.ts';
import {
  ClientHistory,
  NOT_RECORDED,
  type ReadTold,
  type Told,
  type Way,
  type WriteTold,
} from './client-history.ts';
import { ComputedJudge } from './judge-computed.ts';
import { InsertJudge } from './judge-inserts.ts';
import type { World } from '../world/world.ts';

interface Begun {
  /** Its id in the history. */
  id: number;
  key: Key;
  by: number;
  way: Way;
  atMs: number;
  floors: Floors;
}

interface ReadCall extends Pick<Begun, 'by' | 'way'> {
  how: string;
  minVersion?: number;
  consistency?: 'primary';
}

export interface BegunRead extends Begun {
  how: string;
  minVersion: number;
}

export interface BegunWrite extends Begun {
  request: WriteRequest;
}

/** Codes that no client may ever see here. */
const DEFECTS = new Set(['INTERNAL', 'QUEUE_FULL', 'SHUTTING_DOWN', 'IDEMPOTENCY_KEY_REUSED']);

export class Judge {
  readonly history: ClientHistory;
  readonly computed: ComputedJudge;
  readonly inserts: InsertJudge;
  readonly #world: World;
  readonly #referee: Referee;
  /** Writes that were acknowledged, or ended as not applied. They are checked again when nothing is in flight. */
  readonly #ended: { write: BegunWrite; told: Told<WriteTold> }[] = [];
  readonly #transactions: Change[][] = [];
  readonly #open = new Set<Begun>();
  /** Answers by idempotency key. */
  readonly #answers = new Map<string, number>();
  /** Reads that were answered from a client's memory with a row. */
  fromMemory = 0;
  #operations = 0;

  constructor(world: World, referee: Referee) {
    this.#world = world;
    this.#referee = referee;
    this.history = new ClientHistory(world);
    this.computed = new ComputedJudge(world, referee);
    this.inserts = new InsertJudge(referee);
  }

  /** Operations that clients began. */
  get operations(): number {
    return this.#operations + this.computed.begun + this.inserts.begun;
  }

  /** Operations that have not been answered. */
  get open(): number {
    return this.#open.size + this.computed.open + this.inserts.open;
  }

  beginRead(key: Key, { how, minVersion = 0, consistency, ...rest }: ReadCall): BegunRead {
    const primary = consistency === 'primary';
    const id = this.history.beginRead(key, rest.way, { primary, minVersion });
    return this.#begin({ ...this.#begun(key, id, rest), how, minVersion });
  }

  /** A read from the cache found no value. */
  missed(read: BegunRead): void {
    this.#open.delete(read);
    this.history.endRead(read.id, null);
  }

  endRead(read: BegunRead, told: Told<ReadTold>): void {
    this.#end(read, told);
    this.history.endRead(read.id, told);
    if (told.status !== 'ok') return;
    const { key, floors, how, minVersion } = read;
    const name = key.cacheKey;
    const { version, row, isLocal = false } = told.answer;
    const source = isLocal ? 'memory' : told.answer.source;

    if (version === null) return this.#judgeAbsent(read, isLocal);
    const report = (rule: Parameters<Referee['report']>[0], message: string): void =>
      this.#referee.report(
        rule,
        name,
        `client ${read.by}: a ${how} answered v${version} from ${source}, ${message}`,
      );
    if (!isSameRow(row, this.#referee.rowOf(name, version))) {
      report('R7', `${JSON.stringify(row)}, which is not that version's row`);
    }
    if (key.resource.policy === 'strict' && version < floors.told) {
      report('R6', `and v${floors.told} was told before it began`);
    }
    if (isLocal) this.fromMemory += 1;
    const lagged = this.#laggedFloor(read);
    if (isLocal && version < lagged) {
      report('D14', `and v${lagged} was promised ${TIMING.localLagMs} ms before it began`);
    }
    if (source === 'cache' && version < floors.cacheFloor) {
      report('W9', `and v${floors.cacheFloor} was promised before it began`);
    }
    if (source === 'primary' && version < floors.committed) {
      report('R2', `and the row was v${floors.committed} when it began`);
    }
    if (version < minVersion) report('R4', `and v${minVersion} was asked for`);
    this.#referee.told(name, version);
  }

  beginWrite(request: WriteRequest, rest: Pick<Begun, 'by' | 'way'>): BegunWrite {
    const id = this.history.beginWrite(request, rest.way);
    return this.#begin({ ...this.#begun(request.key, id, rest), request });
  }

  endWrite(write: BegunWrite, told: Told<WriteTold>): void {
    this.#end(write, told);
    this.history.endWrite(write.id, told);
    this.#ended.push({ write, told });
    this.#checkInvalidation(write.key);
    if (told.status !== 'ok') return;
    const { key, request, floors } = write;
    const { version, value, cache, replayed } = told.answer;
    const name = key.cacheKey;
    const report = (rule: Parameters<Referee['report']>[0], message: string): void =>
      this.#referee.report(
        rule,
        name,
        `client ${write.by}: a ${request.change.op} was answered v${version}, ${message}`,
      );
    if (!replayed && !this.#referee.versionsOf(request.change).includes(version)) {
      report('W4', 'and was not applied as that');
    }
    if (!isSameRow(value, this.#referee.rowOf(name, version))) {
      report('R7', `${JSON.stringify(value)}, which is not that version's row`);
    }
    if (!replayed && version <= floors.told) {
      report('W8', `and v${floors.told} was told before it began`);
    }
    if (request.idempotency !== undefined) {
      const first = this.#answers.get(request.idempotency.key) ?? version;
      if (first !== version) report('W6', `and its repeat v${first}`);
      this.#answers.set(request.idempotency.key, version);
    }
    this.#referee.told(name, version);
    if (cache === 'fresh' || cache === 'invalidated') {
      this.#referee.promisedOfCache(name, version);
      this.#referee.promisedOfComputed(name, version);
    }
  }

  /** The write with this idempotency key makes this change, which is sent as text. */
  sends(idempotencyKey: string, change: Change): void {
    this.#referee.sends(idempotencyKey, change);
  }

  /** Begins the writes of a transaction. Each must be ended separately with the answer to the transaction. */
  beginTransaction(
    requests: readonly WriteRequest[],
    rest: Pick<Begun, 'by' | 'way'>,
  ): BegunWrite[] {
    const changes = requests.map(({ change }) => change);
    this.#transactions.push(changes);
    this.#referee.transacts(changes);
    return requests.map((request) => this.beginWrite(request, rest));
  }

  /**
   * A lease was granted: if its key is strict, only writes within this lease may write it.
   * @returns a function that checks the answers to the writes within it, in their order
   */
  granted(key: Key, by: number): (told: Told<WriteReceipt>) => void {
    const name = key.cacheKey;
    let expected = this.#referee.floors(name).committed;
    return (told) => {
      if (key.resource.policy !== 'strict' || told.status !== 'ok') return;
      expected += 1;
      const { version } = told.answer;
      if (version === expected) return;
      const message = `client ${by}: a write within its lease was applied as v${version}, and v${expected} was next`;
      this.#referee.report('T7', name, message);
    };
  }

  /** @returns a function to be called with the answer */
  beginInvalidation(key: Key): (told: Told<string[]>) => void {
    const begun = this.#begin(this.#begun(key, NOT_RECORDED, { by: 0, way: 'cache' }));
    return (told) => {
      this.#open.delete(begun);
      if (told.status !== 'ok' || told.answer[0] !== 'invalidated') return;
      this.#referee.promisedOfCache(key.cacheKey, begun.floors.committed);
    };
  }

  /** Checks the answered outcome of each write. Must be called when nothing is in flight. */
  judgeOutcomes(): void {
    this.inserts.judgeOutcomes();
    for (const changes of this.#transactions) {
      const times = new Set(changes.map((change) => this.#referee.versionsOf(change).length));
      if (times.size > 1) this.#referee.report('T1', '', 'a transaction was applied in part');
    }
    const byChange = new Map<Change, { write: BegunWrite; told: Told<WriteTold> }[]>();
    for (const one of this.#ended) {
      const { change } = one.write.request;
      byChange.set(change, [...(byChange.get(change) ?? []), one]);
    }
    for (const [change, ended] of byChange) {
      const name = ended[0]?.write.key.cacheKey ?? '';
      const times = this.#referee.versionsOf(change).length;
      const told = ended.map((one) => one.told);
      const report = (what: string): void =>
        this.#referee.report('W4', name, `client ${ended[0]?.write.by}: a ${change.op} ${what}`);
      if (times > 1) report(`was applied ${times} times`);
      if (times > 0 && told.every(({ status }) => status === 'failed')) {
        report(`was answered ${codeOf(told[0])}, and was applied`);
      }
      if (times === 0 && told.some(({ status }) => status === 'ok')) {
        report('was acknowledged, and was never applied');
      }
    }
  }

  /** There was no row, at a version that the caller was not told. */
  #judgeAbsent(read: BegunRead, isLocal: boolean): void {
    const { key, floors, minVersion, by, how } = read;
    const version = this.#referee.lastAbsent(key.cacheKey);
    const told = key.resource.policy === 'strict' ? floors.told : 0;
    const cacheFloor = isLocal ? this.#laggedFloor(read) : floors.cacheFloor;
    const least = Math.max(told, cacheFloor, minVersion);
    if (version >= least) return;
    const rule = told === least ? 'R6' : minVersion === least ? 'R4' : isLocal ? 'D14' : 'W9';
    const message = `client ${by}: a ${how} found no row, which was so at v${version} last, and v${least} was known before it began`;
    this.#referee.report(rule, key.cacheKey, message);
  }

  /** Below which version nothing may come from memory. */
  #laggedFloor({ key, atMs }: BegunRead): number {
    return this.#referee.cacheFloorAt(key.cacheKey, atMs - TIMING.localLagMs);
  }

  /** If no write of the key is in flight and its entry is older than the row, the outbox must have a row for it. */
  #checkInvalidation(key: Key): void {
    const { cache, database } = this.#world;
    if (key.resource.policy !== 'delete-after-write') return;
    const name = key.cacheKey;
    for (const begun of this.#open) if ('request' in begun && begun.key.cacheKey === name) return;
    const entry = cache.read(name)?.entry;
    const { version } = database.read(key);
    if (entry?.state !== 'value' || entry.version >= version) return;
    if (database.outbox.holds(key.resource.name, key.text)) return;
    const message = `v${entry.version} is cached, the row is v${version}, and no invalidation is left`;
    this.#referee.report('W5', name, message);
  }

  #begun(key: Key, id: number, rest: Pick<Begun, 'by' | 'way'>): Begun {
    const atMs = this.#world.scheduler.nowMs;
    return { id, key, ...rest, atMs, floors: this.#referee.floors(key.cacheKey) };
  }

  #begin<T extends Begun>(begun: T): T {
    this.#operations += 1;
    this.#open.add(begun);
    return begun;
  }

  #end(begun: Begun, told: Told<unknown>): void {
    this.#open.delete(begun);
    const name = begun.key.cacheKey;
    if (told.status !== 'ok' && DEFECTS.has(told.code)) {
      this.#referee.report('defect', name, `client ${begun.by} was answered ${told.code}`);
    }
    const tookMs = this.#world.scheduler.nowMs - begun.atMs;
    if (told.status === 'unknown' && told.code === 'NO_ANSWER' && tookMs >= TIMING.clientMs) {
      this.#referee.report(
        'W12',
        name,
        `client ${begun.by} had no answer for ${tookMs.toFixed(0)} ms`,
      );
    }
  }
}

const codeOf = (told: Told<unknown> | undefined): string =>
  told === undefined || told.status === 'ok' ? 'ok' : told.code;
