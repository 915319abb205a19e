import { sendSql } from '../connections/driver.ts';
import type { Key } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { rowKeyBindings } from './statements.ts';
import { addMysqlOutcome } from './write.ts';
import { SQL } from './sql-texts.ts';
import { compileSql, renderSql } from '../statements/sql-text.ts';
import type { SqlValue } from '../statements/sql.ts';
import type { LockedKey, TogetherSteps } from '../write/together-flow.ts';

const LOCK_POLICY = compileSql('mysql2', SQL.keys['lock-policy']);
const STORE_FENCE = compileSql('mysql2', SQL.keys['store-fence']);

/** The steps of a transaction of several writes on MySQL and MariaDB. */
export function mysqlTogetherSteps(
  steps: Pick<TogetherSteps, 'attempt' | 'make' | 'read'>,
): Omit<TogetherSteps, 'outcomes'> {
  return {
    ...steps,
    // It costs nothing more here, and not every account may see what triggers there are.
    areObserved: () => true,
    // Nothing waits for the commit.
    fireDeferred: () => Promise.resolve(),
    async lockKeys(session, keys) {
      await lockPolicies(session, keys);
      return lockKeys(session, keys);
    },
    async storeFences(session, writes) {
      for (const { key, fence } of writes) {
        await session.run(sendSql(STORE_FENCE, { ...rowKeyBindings(key), fence }));
      }
    },
    async remember(session, key, outcome) {
      await addMysqlOutcome(session, { ...rowKeyBindings(key), ...outcome });
    },
  };
}

/**
 * In the order of a switch of several resources, so that none of the two waits crosswise. Those of one resource alone
 * are held by its write.
 */
async function lockPolicies(session: Session, keys: readonly Key[]): Promise<void> {
  const epochs = new Map(keys.map(({ resource: { name, epoch } }) => [name, epoch]));
  if (epochs.size === 1) return;
  for (const [name, epoch] of [...epochs].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (epoch !== undefined) await session.run(sendSql(LOCK_POLICY, { name, epoch }));
  }
}

async function lockKeys(session: Session, keys: readonly Key[]): Promise<LockedKey[]> {
  const sorted = [...keys].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  const bindings: Record<string, SqlValue> = {};
  for (const [index, { rows: name, rowText }] of sorted.entries()) {
    bindings[`resource_${index}`] = name;
    bindings[`key_${index}`] = rowText;
  }
  const each = (row: (index: number) => string): { keys: string } => ({
    keys: sorted.map((_, index) => row(index)).join(', '),
  });
  const making = each((index) => `(:resource_${index}, :key_${index}, 0, 0, now(6))`);
  const asking = each((index) => `(:resource_${index}, :key_${index})`);
  await session.run(
    sendSql(compileSql('mysql2', renderSql(SQL.keys['add-keys'], making)), bindings),
  );
  const { rows } = await session.run(
    sendSql(compileSql('mysql2', renderSql(SQL.keys['lock-keys'], asking)), bindings),
  );
  const lockedKeys = new Map(
    rows.map(([resource, key, version, fence]) => [
      `${String(resource)}/${String(key)}`,
      { version: Number(version), fence: Number(fence) },
    ]),
  );
  return keys.map((key) => lockedKeys.get(nameOf(key)) ?? { version: 0, fence: 0 });
}

/** No resource's name holds a slash. */
const nameOf = ({ rows, rowText }: Key): string => `${rows}/${rowText}`;
