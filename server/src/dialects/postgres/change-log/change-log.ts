import { replicationFault } from './replication-fault.ts';
import type { ChangeLogDialect } from '../../../changelog/dialect.ts';
import { PgChangeSource } from './change-source.ts';
import { findTables } from './followed-tables.ts';
import { publicationFaults, publicationStatement } from './publication.ts';
import { settingFaults } from './setting-faults.ts';
import { SQL } from './statements.ts';

export const pgChangeLog: ChangeLogDialect = {
  async names(sql, { slot, serverId }) {
    const own = async () => (await sql.run(SQL['name-own-slot'])).rows[0]?.slot ?? 'lockstep';
    return { slot: slot ?? (await own()), serverId: serverId ?? 0 };
  },
  source: (options) => new PgChangeSource(options),
  async faults(sql, log, tables) {
    const settings = await settingFaults(sql, log);
    const replication = await replicationFault(log.connection);
    const found = await findTables(sql, tables);
    const { absent, tables: unpublished } = await publicationFaults(sql, log.publication, found);
    return {
      settings: [...settings, replication, absent].filter((fault) => fault !== null),
      tables: [...found.faults, ...unpublished],
    };
  },
  async publication(sql, { publication }, tables) {
    return publicationStatement(sql, publication, await findTables(sql, tables));
  },
};
