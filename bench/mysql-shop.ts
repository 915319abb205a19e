import { createConnection } from 'mysql2/promise';
import { startMysql } from '@lockstep/testkit/servers';

/** A MariaDB, or the MySQL of LOCKSTEP_TEST_MYSQLD, with a database `shop`. */
export interface MysqlShop {
  /** For `database.connection` of the configuration. */
  connection: string;
  stop(): Promise<void>;
}

/** @param tablesSql creates and fills the tables of the shop */
export async function startMysqlShop(tablesSql: string): Promise<MysqlShop> {
  const server = await startMysql();
  try {
    const connection = await createConnection({ uri: server.url, multipleStatements: true });
    try {
      await connection.query(`create database shop; use shop; ${tablesSql}`);
    } finally {
      await connection.end();
    }
    const url = new URL(server.url);
    url.pathname = '/shop';
    return { connection: url.href, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
