import { readStatements } from '../database/index.ts';
import accountSql from './sql/account.sql?raw';
import serversSql from './sql/shared-servers.sql?raw';

/** The coordinators that use the same servers. */
export const SHARED_SERVERS = readStatements({ name: 'shared-servers', shared: serversSql }, [
  'add',
  'delete',
  'list-ages',
  'list-others',
  'prune',
]);

/** What the server says of itself, of the account, and of Lockstep's own tables. */
export const ACCOUNT = readStatements({ name: 'account', shared: accountSql }, [
  'describe-server',
  'list-own-tables',
  'list-applied-migrations',
  'read-place',
]);

/** What an operator wants to know of the database. */
export const OPERATIONS = readStatements(
  { name: 'operations' },
  ['read-clock-and-zone', 'count-replicas'],
  ['list-idle-slots', 'read-failover-slot'],
);
