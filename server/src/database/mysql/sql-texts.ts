import { namedSql } from '../statements/sql-files.ts';
import catalog from './sql/catalog.sql?raw';
import keys from './sql/keys.sql?raw';
import outbox from './sql/outbox.sql?raw';
import outcomes from './sql/outcomes.sql?raw';
import rows from './sql/rows.sql?raw';

/** The texts of the statements for MySQL and MariaDB, by their names in the SQL files. Some are parts of others. */
export const SQL = {
  keys: namedSql(keys, [
    'wait-for-commit',
    'lock-key',
    'add-key',
    'add-keys',
    'lock-keys',
    'count-up-version',
    'store-key',
    'lock-key-and-row',
    'raise-fence',
    'store-fence',
    'read-versions',
    'lock-policy',
    'list-recent-keys',
    'read-policy-epoch',
    'lock-free-keys',
    'list-known-keys',
    'count-up-versions',
    'store-keys',
    'bound-lock-waits',
    'restore-lock-waits',
  ]),
  rows: namedSql(rows, [
    'read-with-version',
    'read-rows',
    'lock-free-rows',
    'read-row',
    'read-table',
    'lock-row',
    'insert-row',
    'insert-for-number',
    'update-row',
    'delete-row',
    'lock-children',
  ]),
  outbox: namedSql(outbox, [
    'add-row',
    'add-second-delete',
    'add-cache-keys',
    'add-rows',
    'list-added-rows',
    'add-second-deletes',
  ]),
  outcomes: namedSql(outcomes, [
    'find',
    'list-present',
    'delete-old',
    'prune',
    'add-refusal',
    'add',
    'add-several',
  ]),
  catalog: namedSql(catalog, [
    'describe-columns',
    'describe-keys',
    'describe-table',
    'describe-triggers',
    'list-column-types',
    'is-mariadb',
    'show-create-table',
    'list-storages-of-mariadb',
    'list-storages-of-mysql',
    'estimate-table-rows',
    'sample-keys',
    'find-key-bounds',
    'find-first-key',
    'find-last-key',
    'list-keys-from',
  ]),
};
