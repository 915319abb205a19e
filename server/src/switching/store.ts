import {
  type SqlRow,
  type SqlRunner,
  type SqlSession,
  readStatements,
  hasStatement,
} from '../database/index.ts';
import { LockstepError, type Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import {
  type Difference,
  differenceOf,
  nextDefinition,
  type StoredDefinition,
} from './definition.ts';
import sharedSql from './sql/policies.sql?raw';

const SQL = readStatements(
  { name: 'policies', shared: sharedSql },
  ['add', 'list', 'lock', 'store-definition', 'switch', 'complete'],
  ['list-running-statements'],
);

const BARRIER_POLL_MS = 20;
const BARRIER_MAX_MS = 30_000;

/** The state of a resource's policy in the whole cluster. */
export interface Standing {
  resource: string;
  epoch: number;
  /** False: nothing may be served from its cache yet. */
  isComplete: boolean;
  definition: StoredDefinition;
}

/**
 *   lead    makes its resources the cluster's
 *   follow  takes what the cluster has, if its own configuration is the same
 *   look    has looked at the tables: it leads if only these have changed. Refused if the cluster has since got the
 *           resource from another configuration
 */
export type SwitchRole = 'lead' | 'follow' | 'look';

/** The policies of the cluster, in the database. Rejects with LockstepError `DATABASE_UNAVAILABLE`. */
export class SwitchStore {
  readonly #sql: SqlRunner;
  readonly #runtime: Pick<Runtime, 'clock' | 'timers'>;

  constructor(sql: SqlRunner, runtime: Pick<Runtime, 'clock' | 'timers'>) {
    this.#sql = sql;
    this.#runtime = runtime;
  }

  async standings(): Promise<Standing[]> {
    return (await this.#sql.run(SQL.list)).rows.map(standingOf);
  }

  /**
   * Adopts all of these or none. Each that the cluster switches to gets a new epoch, and its switch is not complete.
   * @throws LockstepError `FENCED` if the role is not `lead` and the cluster has another configuration
   */
  adopt(resources: readonly Resource[], role: SwitchRole): Promise<Standing[]> {
    return this.#sql.transaction(async (session) => {
      const standings: Standing[] = [];
      // In one order everywhere, so that two coordinators never wait for each other.
      const ordered = [...resources].sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const resource of ordered) standings.push(await adoptOne(session, resource, role));
      return standings;
    });
  }

  /**
   * Resolves when every write of an earlier epoch has ended.
   *
   * MySQL: a write locks its policy's row until it has ended, so the switch has already waited for it.
   *
   * PostgreSQL: a write is one statement, and one that began before the switch was committed may not see it. So this
   * waits for each statement that is in flight now, without using a clock; the statement timeout bounds each of them.
   * @throws LockstepError `LOCK_TIMEOUT`
   */
  async writesEnded(signal: AbortSignal): Promise<void> {
    if (!hasStatement(this.#sql, SQL['list-running-statements'])) return;
    const { clock, timers } = this.#runtime;
    const deadlineMs = clock.nowMs() + BARRIER_MAX_MS;
    let waiting = await this.#runningStatements();
    while (waiting.size > 0) {
      if (signal.aborted) throw new LockstepError('SHUTTING_DOWN', 'This instance is stopping.');
      if (clock.nowMs() > deadlineMs) {
        const text = 'A statement that began before the switch does not end.';
        throw new LockstepError('LOCK_TIMEOUT', text);
      }
      await timers.sleep(BARRIER_POLL_MS, signal);
      const now = await this.#runningStatements();
      waiting = new Set([...waiting].filter((each) => now.has(each)));
    }
  }

  async complete(resource: string, epoch: number): Promise<void> {
    await this.#sql.run(SQL.complete, { resource, epoch });
  }

  async #runningStatements(): Promise<Set<string>> {
    const { rows } = await this.#sql.run(SQL['list-running-statements']);
    return new Set(rows.map((row) => `${row.pid} ${row.xact_start}`));
  }
}

async function adoptOne(
  session: SqlSession,
  resource: Resource,
  role: SwitchRole,
): Promise<Standing> {
  const named = { resource: resource.name };
  const first = JSON.stringify(nextDefinition(resource, null));
  await session.run(SQL.add, { ...named, definition: first });
  const found = standingOf((await session.run(SQL.lock, named)).rows[0] ?? {});
  const difference = differenceOf(found.definition, resource);
  if (difference === 'none') return found;
  if (difference === 'server') {
    const { tables } = resource;
    const definition = { ...found.definition, ...(tables === undefined ? {} : { tables }) };
    await session.run(SQL['store-definition'], {
      ...named,
      definition: JSON.stringify(definition),
    });
    return { ...found, definition };
  }
  // It keeps the state that the cluster knows; this coordinator's next look will lead.
  if (difference === 'tables' && role === 'follow') return found;
  if (!mayLead(role, difference, resource.epoch === found.epoch))
    throw new LockstepError('FENCED', `Here ${resource.name} is configured otherwise.`);
  const definition = nextDefinition(resource, found.definition, found.isComplete);
  await session.run(SQL.switch, { ...named, definition: JSON.stringify(definition) });
  return { resource: resource.name, epoch: found.epoch + 1, isComplete: false, definition };
}

/** @param isCurrent whether it is at the cluster's epoch, so that only its tables can have changed */
function mayLead(role: SwitchRole, difference: Difference, isCurrent: boolean): boolean {
  if (role === 'look') return difference !== 'all' || isCurrent;
  return role === 'lead';
}

function standingOf(row: SqlRow): Standing {
  return {
    resource: row.resource ?? '',
    epoch: Number(row.epoch),
    isComplete: row.is_settled === 't' || row.is_settled === '1',
    definition: JSON.parse(row.definition ?? '') as StoredDefinition,
  };
}
