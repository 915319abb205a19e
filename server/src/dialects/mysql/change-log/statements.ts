import { statementsOf } from '../../../database/index.ts';
import statements from './statements.sql?raw';

/** What the change log asks of MySQL and MariaDB. */
export const SQL = statementsOf('mysql2', statements, [
  'await-row',
  'list-binlogs',
  'read-foreign-key-setting',
  'show-grants',
  'read-clock',
  'name-own-server-id',
  'read-settings',
  'list-tables',
]);
