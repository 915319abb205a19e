import type { Key, Resource } from '../../domain/index.ts';
import type { Budget, Connections, Session } from '../connections/connections.ts';
import { PgObservedStatements } from './observed-statements.ts';
import {
  finishChange,
  makeChange,
  type MadeChange,
  refusedAs,
  rememberChange,
  fireDeferred,
} from './observed-write.ts';
import { isUnaddressable, unaddressable } from './padded-key.ts';
import type { AppliedRow, RowWrite, VersionedRow } from '../port.ts';
import type { ReachDialect } from '../write/reached-rows.ts';
import { assertVerified, type Attempt } from '../write/write-flow.ts';

type Read = (session: Session, key: Key) => Promise<VersionedRow>;

/** Writes in steps, of which the last looks at what the database did. */
export class PgObservedWriter {
  readonly #connections: Connections;
  readonly #reach: ReachDialect;
  readonly #statements = new WeakMap<Resource, PgObservedStatements>();

  readonly #read: Read;

  constructor(connections: Connections, reach: ReachDialect, read: Read) {
    this.#connections = connections;
    this.#reach = reach;
    this.#read = read;
  }

  /** One write in a transaction of its own, answered when all that the database does by itself is done. */
  attempt(write: RowWrite, budget: Budget): Promise<Attempt> {
    return this.#connections.transaction(async (session) => {
      const made = await this.#made(session, write);
      await fireDeferred(session);
      const applied = await this.#finished(session, write, made);
      await rememberChange(session, write, applied);
      await assertVerified(write);
      return { status: 'applied', ...applied };
    }, budget);
  }

  /** One of several writes in a transaction: what it resolves to finishes it. */
  async make(session: Session, write: RowWrite): Promise<() => Promise<AppliedRow>> {
    const made = await this.#made(session, write);
    return () => this.#finished(session, write, made);
  }

  #made(session: Session, write: RowWrite): Promise<MadeChange> {
    const { key } = write;
    if (isUnaddressable(key)) throw refusedAs(unaddressable(write));
    return makeChange(session, this.#of(key.resource), write, this.#reach, this.#read);
  }

  #finished(session: Session, write: RowWrite, made: MadeChange): Promise<AppliedRow> {
    return finishChange(session, this.#of(write.key.resource), write, made);
  }

  #of(resource: Resource): PgObservedStatements {
    let statements = this.#statements.get(resource);
    if (statements === undefined) {
      statements = new PgObservedStatements(resource);
      this.#statements.set(resource, statements);
    }
    return statements;
  }
}
