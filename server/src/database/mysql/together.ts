import type { Key } from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import { sendMysql, rowKeyBindings } from './statements.ts';
import { rememberMysqlOutcome } from './write.ts';
import { decodeOutcome, recordBindings } from '../write/outcome-record.ts';
import { SQL } from './sql-texts.ts';
import { compileSql, renderSql } from '../statements/sql-text.ts';
import type { SqlValue } from '../statements/sql.ts';
import { isRepeatedOutcome } from '../connections/statement-failure.ts';
import type { KeyTurn, TogetherSteps } from '../write/together-steps.ts';

const HOLD_POLICY = compileSql('mysql2', SQL.keys['lock-policy']);
const POLICY_EPOCH = compileSql('mysql2', SQL.keys['read-policy-epoch']);
const STORE_FENCE = compileSql('mysql2', SQL.keys['store-fence']);
const RECORD_REFUSAL = compileSql('mysql2', SQL.outcomes['add-refusal']);
const FIND_OUTCOME = compileSql('mysql2', SQL.outcomes.find);
const FORGET_OUTCOME = compileSql('mysql2', SQL.outcomes['delete-old']);

/** The steps of a transaction of several writes on MySQL and MariaDB. */
export function mysqlTogetherSteps(
  steps: Pick<TogetherSteps, 'attempt' | 'make' | 'read'>,
): TogetherSteps {
  return {
    ...steps,
    // It costs nothing more here, and not every account may see what triggers there are.
    areObserved: () => true,
    // Nothing waits for the commit.
    settle: () => Promise.resolve(),
    async lockKeys(session, keys) {
      await holdPolicies(session, keys);
      return lockKeys(session, keys);
    },
    async isCurrent(session, { name, epoch }) {
      const { rows } = await session.run(sendMysql(POLICY_EPOCH, { resource: name }));
      return Number(rows[0]?.[0]) === epoch;
    },
    async storeFences(session, writes) {
      for (const { key, fence } of writes) {
        await session.run(sendMysql(STORE_FENCE, { ...rowKeyBindings(key), fence }));
      }
    },
    async remember(session, key, outcome) {
      await rememberMysqlOutcome(session, { ...rowKeyBindings(key), ...outcome });
    },
    async recordRefusal(session, key, refused) {
      const bindings = { ...rowKeyBindings(key), ...recordBindings(refused) };
      await session.run(sendMysql(RECORD_REFUSAL, bindings));
    },
    async findOutcome(session, idempotency_key) {
      const { rows } = await session.run(sendMysql(FIND_OUTCOME, { idempotency_key }));
      return rows[0] === undefined ? null : decodeOutcome(rows[0]);
    },
    async forgetOutcome(session, idempotency_key) {
      await session.run(sendMysql(FORGET_OUTCOME, { idempotency_key }));
    },
    isRepeat: isRepeatedOutcome,
  };
}

/**
 * In the order of a switch of several resources, so that none of the two waits crosswise. Those of one resource alone
 * are held by its write.
 */
async function holdPolicies(session: Session, keys: readonly Key[]): Promise<void> {
  const epochs = new Map(keys.map(({ resource: { name, epoch } }) => [name, epoch]));
  if (epochs.size === 1) return;
  for (const [name, epoch] of [...epochs].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (epoch !== undefined) await session.run(sendMysql(HOLD_POLICY, { name, epoch }));
  }
}

async function lockKeys(session: Session, keys: readonly Key[]): Promise<KeyTurn[]> {
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
    sendMysql(compileSql('mysql2', renderSql(SQL.keys['add-keys'], making)), bindings),
  );
  const { rows } = await session.run(
    sendMysql(compileSql('mysql2', renderSql(SQL.keys['lock-keys'], asking)), bindings),
  );
  const turns = new Map(
    rows.map(([resource, key, version, fence]) => [
      `${String(resource)}/${String(key)}`,
      { version: Number(version), fence: Number(fence) },
    ]),
  );
  return keys.map((key) => turns.get(nameOf(key)) ?? { version: 0, fence: 0 });
}

/** No resource's name holds a slash. */
const nameOf = ({ rows, rowText }: Key): string => `${rows}/${rowText}`;
