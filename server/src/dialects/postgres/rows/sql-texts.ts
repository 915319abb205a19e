import { namedSql } from '../../../database/statements/named-sql.ts';
import catalog from './sql/catalog.sql?raw';
import keys from './sql/keys.sql?raw';
import outbox from './sql/outbox.sql?raw';
import outcomes from './sql/outcomes.sql?raw';
import rows from './sql/rows.sql?raw';
import write from './sql/write.sql?raw';

/** The texts of the statements for PostgreSQL, by their names in the SQL files. Some are parts of others. */
export const SQL = {
  keys: namedSql(keys, [
    'wait-for-commit',
    'wait-for-first-commit',
    'lock-key',
    'lock-keys',
    'add-keys',
    'count-up-version',
    'record-row-xid',
    'raise-fence',
    'store-fences',
    'read-versions',
    'is-policy-current',
    'list-recent-keys',
    'read-policy-epoch',
  ]),
  rows: namedSql(rows, [
    'read-with-version',
    'read-many-with-versions',
    'read-row',
    'read-columns',
    'read-table',
    'lock-row',
    'has-values',
    'insert-row',
    'update-row',
    'delete-row',
    'lock-children',
    'list-matching',
    'lock-matching',
    'changed-by',
    'is-pristine',
    'next-xid',
    'recorded-xid',
  ]),
  write: namedSql(write, [
    'write-row',
    'write-rows',
    'read-before',
    'change-put',
    'change-put-partitioned',
    'change-patch',
    'change-delete',
    'with-outbox-row',
    'with-outbox-rows',
    'with-second-delete',
    'with-second-deletes',
    'with-outcome',
    'with-outcomes',
    'update-rows',
    'delete-rows',
    'is-no-repeat',
  ]),
  outbox: namedSql(outbox, ['add-row', 'add-second-delete', 'add-cache-keys']),
  outcomes: namedSql(outcomes, [
    'find',
    'delete-old',
    'prune',
    'add-refusal',
    'with-refusal',
    'add',
  ]),
  catalog: namedSql(catalog, [
    'describe-columns',
    'describe-keys',
    'describe-side-effects',
    'list-foreign-key-actions',
    'count-table-blocks',
    'sample-keys',
    'list-keys',
  ]),
};
