/**
 * Writes of one key that follow one another, in one transaction (docs/decisions/0038-combining-on-a-key.md).
 *
 *   begin, count the version up, lock and look at key and row, then for each write: change the row, read it back (and
 *   count up for the next) -> outbox rows, digest, fence and outcomes of all, commit
 *
 * That is two round trips, where it can be foreseen what each write will find: a row or none. If the look says otherwise,
 * or one of them is conditional, the look goes first, in a round trip of its own, and what it does not admit is left out.
 *
 * Invariants
 *   - each write is admitted by what the one before it leaves: version, fence, row and tag (W16)
 *   - what is changed before the look is known is rolled back if the look admits anything else
 *   - each row is changed by the very statement that the write would send alone, after its version is counted up (C2)
 */
import type { Row } from '@lockstep/shared';
import { emptyRow, isFencedOut, keyFromRow, type Resource } from '../../../domain/index.ts';
import type { Budget, Connections, Session } from '../../../database/connections/connections.ts';
import { type RawResult, sendSql, type SentSql } from '../../../database/connections/driver.ts';
import { StatementFailure } from '../../../database/connections/statement-failure.ts';
import type { Refusal, RowWrite } from '../../../database/port.ts';
import { compileSql } from '../../../database/statements/sql-text.ts';
import { decodeRow } from '../../../database/values/row-text.ts';
import { isRowAdmitted, relatedOf } from '../../../database/write/applied-row.ts';
import { type Attempt, refusalNow } from '../../../database/write/attempt.ts';
import type { Outcomes } from '../../../database/write/outcomes.ts';
import type { InOrder } from '../../../database/write/row-dialect.ts';
import { finishWrites, type MadeWrite, mayPassAlone } from './finish-writes.ts';
import { type LockedRow, lockedRowOf, lockSql } from './locked-row.ts';
import { digestOfRow, mysqlRowTag } from './row-tag.ts';
import { SQL } from './sql-texts.ts';
import { statementsOf } from './statements.ts';
import { mysqlKeyBindings } from './values.ts';
import { changeSql, countUpSql, leftBy } from './write.ts';
import { MYSQL } from '../spelling.ts';

const ADD_KEY = compileSql(MYSQL, SQL.keys['add-key']);
const LIST_PRESENT = compileSql(MYSQL, SQL.outcomes['list-present']);

/** What a write finds. */
interface Standing {
  version: number;
  fence: number;
  tag: string | undefined;
  isThere: boolean;
}

/** A write that is to be carried out. */
interface Planned {
  write: RowWrite;
  /** Its place among all writes of the run. */
  place: number;
  /** Whether it finds a row. */
  isThere: boolean;
}

/** A statement. `place`: the write that it belongs to. */
interface Step {
  sql: SentSql;
  place: number;
  finds?: 'key and row' | 'outcomes' | 'row after';
}

interface Answered extends Step {
  answer: RawResult;
}

/** What the look has found. */
interface Look {
  standing: Standing;
  before: Row | null;
  /** Idempotency keys that have outcomes, also old ones. */
  repeated: ReadonlySet<string>;
}

/** Takes a transaction back that has not failed. `attempts`: what became of its writes; null: they are to go again. */
class TakenBack extends Error {
  override readonly name = 'TakenBack';
  readonly attempts: Attempt[] | null;

  constructor(attempts: Attempt[] | null) {
    super('taken back');
    this.attempts = attempts;
  }
}

const NOT_ADMITTED = { status: 'not-admitted' } as const;

/** One try at writes of one key. */
export class MysqlOrderedWrite {
  readonly #resource: Resource;
  readonly #writes: readonly RowWrite[];
  readonly #first: RowWrite;
  /** Whether the look is at the whole row, which its tag is made of. */
  readonly #isWhole: boolean;
  readonly #outcomes: Outcomes;
  /** What becomes of those that are not admitted, by their places; none: why is looked up. */
  readonly #left = new Map<number, Attempt>();
  /** Which write's statements are being carried out; beyond the last: the commit. */
  #at = 0;

  /** @param writes all of one key and resource */
  constructor(writes: readonly [RowWrite, ...RowWrite[]], outcomes: Outcomes) {
    this.#writes = writes;
    this.#first = writes[0];
    this.#isWhole = writes.some(
      ({ change, ifMatch }) => ifMatch !== undefined || (change.op === 'put' && change.onlyCreate),
    );
    this.#resource = writes[0].key.resource;
    this.#outcomes = outcomes;
  }

  /** As `RowDialect.attemptInOrder`. */
  async attempt(connections: Connections, budget: Budget): Promise<InOrder> {
    try {
      const foreseen = foresee(this.#writes);
      const attempts =
        foreseen === null
          ? null
          : await this.#in(connections, budget, (session) => this.#atOnce(session, foreseen));
      return { attempts: attempts ?? (await this.#lookedAtFirst(connections, budget)) };
    } catch (error) {
      if (error instanceof StatementFailure) return { failure: error, at: this.#at };
      throw error;
    }
  }

  async #lookedAtFirst(connections: Connections, budget: Budget): Promise<Attempt[]> {
    const attempts = await this.#in(connections, budget, (session) => this.#inSteps(session));
    if (attempts === null) throw mayPassAlone();
    return attempts;
  }

  /** In a transaction; null where it is taken back and to be tried again. */
  async #in(
    connections: Connections,
    budget: Budget,
    task: (session: Session) => Promise<Attempt[]>,
  ): Promise<Attempt[] | null> {
    this.#at = 0;
    this.#left.clear();
    try {
      return await connections.transaction(task, budget);
    } catch (error) {
      if (error instanceof TakenBack) return error.attempts;
      throw error;
    }
  }

  async #atOnce(session: Session, foreseen: readonly Planned[]): Promise<Attempt[]> {
    const [countUp, ...changes] = stepsOf(foreseen);
    const look = this.#lookSteps();
    const answered = await this.#send(session, [
      ...(countUp === undefined ? [] : [countUp]),
      ...look,
      ...changes,
    ]);
    const found = this.#found(answered, 1);
    const planned = plan(this.#writes, found, this.#left);
    const isAsForeseen =
      planned.length === foreseen.length &&
      planned.every(({ isThere }, index) => isThere === foreseen[index]?.isThere);
    if (!isAsForeseen) throw new TakenBack(null);
    return this.#finish(session, planned, found, answered);
  }

  async #inSteps(session: Session): Promise<Attempt[]> {
    const lock = sendSql(ADD_KEY, mysqlKeyBindings(this.#first.key));
    const looked = await this.#send(session, [{ sql: lock, place: 0 }, ...this.#lookSteps()]);
    const found = this.#found(looked, 0);
    const planned = plan(this.#writes, found, this.#left);
    if (planned.length === 0) throw new TakenBack(this.#attempts());
    const answered = await this.#send(session, stepsOf(planned));
    return this.#finish(session, planned, found, answered);
  }

  #lookSteps(): Step[] {
    const keys = this.#writes.flatMap(({ idempotency }) => idempotency?.key ?? []);
    const look: Step = { sql: lockSql(this.#first, this.#isWhole), place: 0, finds: 'key and row' };
    if (keys.length === 0) return [look];
    return [look, { sql: sendSql(LIST_PRESENT, { keys }), place: 0, finds: 'outcomes' }];
  }

  async #send(session: Session, steps: readonly Step[]): Promise<Answered[]> {
    try {
      const answers = await session.runAll(steps.map(({ sql }) => sql));
      return steps.flatMap((step, index) => {
        const answer = answers[index];
        return answer === undefined ? [] : [{ ...step, answer }];
      });
    } catch (error) {
      if (error instanceof StatementFailure) this.#at = steps[error.answered]?.place ?? 0;
      throw error;
    }
  }

  /** @param counted how often the version was counted up before the look */
  #found(answered: readonly Answered[], counted: number): Look {
    const answerOf = (finds: Step['finds']): RawResult | undefined =>
      answered.find((step) => step.finds === finds)?.answer;
    const locked = lockedRowOf(this.#first, answerOf('key and row'), this.#isWhole);
    const { fence, values, columns } = locked;
    const version = locked.version - counted;
    const before = values === null ? null : decodeRow(columns, values);
    // The row is another key's, which the column's collation takes for this one.
    if (before !== null && keyFromRow(this.#resource, before)?.text !== this.#first.key.text)
      throw mayPassAlone();
    const tag = this.#isWhole ? this.#tag(locked, version) : undefined;
    const repeated = new Set(answerOf('outcomes')?.rows.map(([key]) => String(key)));
    return { standing: { version, fence, tag, isThere: before !== null }, before, repeated };
  }

  #tag({ values, digest }: LockedRow, version: number): string | undefined {
    const present = values === null ? null : digestOfRow(this.#resource, values);
    return mysqlRowTag(version, digest, present);
  }

  async #finish(
    session: Session,
    planned: readonly Planned[],
    found: Look,
    answered: readonly Answered[],
  ): Promise<Attempt[]> {
    const made = this.#made(planned, found, answered);
    this.#at = this.#writes.length;
    const rows = await finishWrites(session, this.#resource, made, this.#outcomes);
    const attempts = this.#attempts();
    for (const [index, { place }] of planned.entries()) {
      const row = rows[index];
      if (row !== undefined) attempts[place] = { status: 'applied', ...row };
    }
    return attempts;
  }

  /** If none is applied. */
  #attempts(): Attempt[] {
    return this.#writes.map((_, place) => this.#left.get(place) ?? NOT_ADMITTED);
  }

  /** @throws StatementFailure where a row was stored under another key */
  #made(planned: readonly Planned[], found: Look, answered: readonly Answered[]): MadeWrite[] {
    const { related } = statementsOf(this.#resource);
    const after = new Map(
      answered.flatMap(({ finds, place, answer }) =>
        finds === 'row after' ? [[place, answer] as const] : [],
      ),
    );
    let { before } = found;
    let { version } = found.standing;
    return planned.map(({ write, place }) => {
      this.#at = place;
      const left = leftBy(write, after.get(place));
      version += 1;
      const made = {
        write,
        version,
        before,
        left,
        related: relatedOf(related, before, left.after),
      };
      before = left.after;
      return made;
    });
  }
}

/** What the writes will find if all are admitted; null where the look has to say it. */
function foresee(writes: readonly RowWrite[]): Planned[] | null {
  const [first] = writes;
  if (first === undefined || writes.some(({ ifMatch }) => ifMatch !== undefined)) return null;
  // Most rows that are put are there. One that is only to be created should not be.
  let isThere = !(first.change.op === 'put' && first.change.onlyCreate);
  const planned: Planned[] = [];
  for (const [place, write] of writes.entries()) {
    if (!isRowAdmitted(write, isThere)) return null;
    planned.push({ write, place, isThere });
    isThere = write.change.op !== 'delete';
  }
  return planned;
}

/**
 * Those writes that are admitted, one after the other.
 * @param left filled with what becomes of the others, by their places
 */
function plan(
  writes: readonly RowWrite[],
  { standing: found, repeated }: Look,
  left: Map<number, Attempt>,
): Planned[] {
  let standing = found;
  const planned: Planned[] = [];
  for (const [place, write] of writes.entries()) {
    const { idempotency, fence, change } = write;
    const isRepeat = idempotency !== undefined && repeated.has(idempotency.key);
    if (isRepeat || isFencedOut(write, standing.fence)) continue;
    const refusal = refusedBy(standing, write);
    if (refusal !== null) {
      left.set(place, { status: 'not-admitted', refusal });
      continue;
    }
    planned.push({ write, place, isThere: standing.isThere });
    standing = {
      version: standing.version + 1,
      fence: Math.max(standing.fence, fence ?? 0),
      // The row, or none, is as Lockstep's last write left it.
      tag: undefined,
      isThere: change.op !== 'delete',
    };
  }
  return planned;
}

/** Null if the write is admitted. */
function refusedBy({ version, fence, tag, isThere }: Standing, write: RowWrite): Refusal | null {
  const row = isThere ? emptyRow() : null;
  const found = { version, fence, row, ...(tag === undefined ? {} : { tag }) };
  return refusalNow(write, NOT_ADMITTED, found);
}

function stepsOf(planned: readonly Planned[]): Step[] {
  return planned.flatMap(({ write, place, isThere }) => {
    const [change, read] = changeSql(write, isThere);
    const steps: Step[] = [{ sql: countUpSql(write.key), place }];
    if (change !== undefined) steps.push({ sql: change, place });
    if (read !== undefined) steps.push({ sql: read, place, finds: 'row after' });
    return steps;
  });
}
