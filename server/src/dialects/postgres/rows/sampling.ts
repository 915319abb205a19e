import { rowsName, type Resource } from '../../../domain/index.ts';
import type { Connections } from '../../../database/connections/connections.ts';
import { type RawValue, sendSql } from '../../../database/connections/driver.ts';
import { compileSql, renderSql } from '../../../database/statements/sql-text.ts';
import type { SqlBindings } from '../../../database/statements/sql.ts';
import { SQL } from './sql-texts.ts';
import { statementsOf } from './statements.ts';
import { POSTGRES } from '../spelling.ts';

/** Blocks that a sample reads at most; a table of no more is read whole. */
const SAMPLE_BLOCKS = 400;
const RECENT_BLOCKS = 2000;

/** Keys for audits, at a bounded cost on large tables. */
export class PgSampling {
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  async sampleKeys(resource: Resource, count: number): Promise<RawValue[][]> {
    const { table, keyList: key } = statementsOf(resource);
    const sampled = await this.#sampled(table, Math.max(SAMPLE_BLOCKS, count));
    const rows = await this.#query(SQL.catalog['sample-keys'], { key, sampled }, { count });
    if (rows.length > 0) return rows;
    return this.#query(SQL.catalog['list-keys'], { key, table }, { count });
  }

  /**
   * Exact while the versions of all resources fill few blocks; beyond that the newest of a random part of them. An
   * index on the time would make each write a non-HOT update, for a list that audits only sample from.
   */
  async recentKeys(resource: Resource, count: number): Promise<RawValue[][]> {
    const sampled = await this.#sampled('lockstep_keys', RECENT_BLOCKS);
    const bindings = { resource: rowsName(resource), count };
    return this.#query(SQL.keys['list-recent-keys'], { sampled }, bindings);
  }

  /** The table for a FROM clause, cut to a random part of about so many blocks where it has more. */
  async #sampled(table: string, blocks: number): Promise<string> {
    const [row] = await this.#query(SQL.catalog['count-table-blocks'], {}, { table });
    const total = Number(row?.[0] ?? 0);
    return total <= blocks
      ? table
      : `${table} tablesample system (${((100 * blocks) / total).toFixed(6)})`;
  }

  async #query(
    template: string,
    fragments: Record<string, string>,
    bindings: SqlBindings,
  ): Promise<RawValue[][]> {
    const sql = sendSql(compileSql(POSTGRES, renderSql(template, fragments)), bindings);
    return (await this.#connections.use((session) => session.run(sql))).rows;
  }
}
