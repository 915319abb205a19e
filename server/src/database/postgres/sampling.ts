import {
  keyFromRow,
  keyFromRowText,
  type Key,
  type Resource,
  rowsName,
} from '../../domain/index.ts';
import type { RawResult, SentSql } from '../connections/driver.ts';
import type { PgStatements } from './statements.ts';
import { decodeRow } from '../values/row-text.ts';
import { SQL } from './sql-texts.ts';
import { bindSql, compileSql, renderSql } from '../statements/sql-text.ts';
import type { SqlBindings } from '../statements/sql.ts';

/** Blocks that a sample reads at most; a table of no more is read whole. */
const SAMPLE_BLOCKS = 400;
const RECENT_BLOCKS = 2000;

/** Keys for audits, at a bounded cost on large tables. */
export class PgSampling {
  readonly #run: (sql: SentSql) => Promise<RawResult>;

  constructor(run: (sql: SentSql) => Promise<RawResult>) {
    this.#run = run;
  }

  async sampleKeys(
    resource: Resource,
    { table, keyList }: Pick<PgStatements, 'table' | 'keyList'>,
    count: number,
  ): Promise<Key[]> {
    const sampled = await this.#sampled(table, Math.max(SAMPLE_BLOCKS, count));
    const random = await this.#query(
      SQL.catalog['sample-keys'],
      { key: keyList, sampled },
      { count },
    );
    const found =
      random.rows.length > 0
        ? random
        : await this.#query(SQL.catalog['list-keys'], { key: keyList, table }, { count });
    return found.rows.flatMap((values) => {
      const key = keyFromRow(resource, decodeRow(resource.keyColumns, values));
      return key === null ? [] : [key];
    });
  }

  /**
   * Exact while the versions of all resources fill few blocks; beyond that the newest of a random part of them. An
   * index on the time would make each write a non-HOT update, for a list that audits only sample from.
   */
  async recentKeys(resource: Resource, count: number): Promise<Key[]> {
    const sampled = await this.#sampled('lockstep_keys', RECENT_BLOCKS);
    const bindings = { resource: rowsName(resource), count };
    const { rows } = await this.#query(SQL.keys['list-recent-keys'], { sampled }, bindings);
    return rows.map(([text]) => keyFromRowText(resource, String(text)));
  }

  /** The table for a FROM clause, cut to a random part of about so many blocks where it has more. */
  async #sampled(table: string, blocks: number): Promise<string> {
    const { rows } = await this.#query(SQL.catalog['count-table-blocks'], {}, { table });
    const total = Number(rows[0]?.[0] ?? 0);
    return total <= blocks
      ? table
      : `${table} tablesample system (${((100 * blocks) / total).toFixed(6)})`;
  }

  #query(
    template: string,
    fragments: Record<string, string>,
    bindings: SqlBindings,
  ): Promise<RawResult> {
    const sql = compileSql('pg', renderSql(template, fragments));
    return this.#run({ text: sql.text, values: bindSql(sql, bindings) });
  }
}
