import type { SqlRunner } from '../../../database/index.ts';
import type { ChangeLogDialect } from '../../../changelog/dialect.ts';
import { MysqlChangeSource } from './change-source.ts';
import { findTables } from './followed-tables.ts';
import { settingFaults } from './server-facts.ts';
import { SQL } from './statements.ts';

export const mysqlChangeLog: ChangeLogDialect = {
  async names(sql, { slot, serverId }) {
    const own = async () => Number((await sql.run(SQL['name-own-server-id'])).rows[0]?.server_id);
    return { slot: slot ?? 'lockstep', serverId: serverId ?? (await own()) };
  },
  source: (options) => new MysqlChangeSource(options),
  async faults(sql, _log, tables) {
    const settings = [...(await settingFaults(sql)), ...(await rightFaults(sql))];
    const database = (await sql.run(SQL['read-clock'])).rows[0]?.db ?? '';
    return { settings, tables: (await findTables(sql, database, tables)).faults };
  },
  publication: () => Promise.resolve(null),
};

async function rightFaults(sql: SqlRunner): Promise<string[]> {
  const { rows } = await sql.run(SQL['show-grants']);
  const everywhere = rows
    .flatMap((row) => Object.values(row))
    .map((grant) => /^grant (.+) on \*\.\* to /i.exec(grant ?? '')?.[1]?.toLowerCase() ?? '')
    .flatMap((rights) => rights.split(', '));
  const may = (...rights: string[]): boolean =>
    ['all privileges', ...rights].some((right) => everywhere.includes(right));
  const faults: string[] = [];
  if (!may('replication slave')) {
    faults.push('the account may not read the binlog; allowed: grant replication slave on *.*');
  }
  if (!may('replication client', 'binlog monitor')) {
    faults.push(
      'the account may not read the position of the binlog; allowed: grant replication client on *.*',
    );
  }
  return faults;
}
