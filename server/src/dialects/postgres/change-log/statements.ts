import { statementsOf } from '../../../database/index.ts';
import statements from './statements.sql?raw';

/** What the change log asks of PostgreSQL. */
export const SQL = statementsOf('pg', statements, [
  'add-to-publication',
  'create-publication',
  'create-slot',
  'create-failover-slot',
  'read-retained-log',
  'drop-slot',
  'end-stream',
  'name-own-slot',
  'read-publication',
  'read-requirements',
  'read-slot',
  'read-snapshot',
  'read-table-storage',
  'list-tables',
]);
