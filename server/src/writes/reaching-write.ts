/**
 * Writes whose foreign keys change rows of strict resources. Those rows' entries must hide their old values before the
 * commit, as for any strict write: the write becomes a transaction that holds them too, each with an intent and a
 * fence. Which rows they are the database says: where more came in between it refuses, and all is tried again with them.
 */
import type { Reach } from '../database/port.ts';
import {
  type Key,
  LockstepError,
  type Resource,
  type TransactedWrite,
  type TransactionRequest,
  type WritePhases,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import type { WriteParts } from './parts.ts';

/** How often rows may come in between. */
const MAX_ROUNDS = 5;

/** Ends a write that would change strict rows which it does not hold; nothing of it happened. */
export class ReachesStrict extends Error {
  override readonly name = 'ReachesStrict';
  readonly keys: readonly Key[];

  constructor(keys: readonly Key[]) {
    super(`${keys.length} strict rows by foreign keys`);
    this.keys = keys;
  }
}

/** What the database needs to see to the rows that foreign keys change with a row of this resource. */
export function reachOf(
  { resources }: Pick<WriteParts, 'resources'>,
  resource: Resource,
  writes: readonly Pick<TransactedWrite, 'key'>[] = [],
): { reach?: Reach } {
  if (resource.cascades === undefined) return {};
  const held = new Set(writes.map(({ key }) => key.lockKey));
  return {
    reach: {
      resourceOf: (name) => resources.get(name),
      covers: (key) => held.has(key.lockKey),
    },
  };
}

type Transact = (
  parts: WriteParts,
  request: TransactionRequest,
  phases: WritePhases,
) => Promise<WriteReceipt[]>;

/** Carries a transaction out, with the strict rows that it turns out to change. */
export async function transactReaching(
  transact: Transact,
  parts: WriteParts,
  request: TransactionRequest,
  phases: WritePhases,
  reached: readonly Key[] = [],
): Promise<WriteReceipt[]> {
  const keys = new Map(reached.map((key) => [key.lockKey, key]));
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const own = new Set(request.writes.map(({ key }) => key.lockKey));
    const others = [...keys.values()].filter(({ lockKey }) => !own.has(lockKey));
    const writes = [...request.writes, ...others.map(changedByForeignKey)];
    try {
      const receipts = await transact(parts, { ...request, writes }, phases);
      return receipts.slice(0, request.writes.length);
    } catch (error) {
      if (!(error instanceof ReachesStrict)) throw error;
      for (const key of error.keys) keys.set(key.lockKey, key);
    }
  }
  throw new LockstepError(
    'DATABASE_UNAVAILABLE',
    'Rows that foreign keys change with this one kept coming in between; nothing was applied.',
  );
}

/** A single write that has turned out to reach strict rows. */
export async function writeReaching(
  transact: Transact,
  parts: WriteParts,
  request: WriteRequest,
  phases: WritePhases,
  reached: readonly Key[],
): Promise<WriteReceipt> {
  const { key, change, ifMatch, idempotency, waitTimeoutMs, leaseId } = request;
  const together: TransactionRequest = {
    writes: [{ key, change, ...(ifMatch === undefined ? {} : { ifMatch }) }],
    ...(idempotency === undefined ? {} : { idempotency }),
    ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
    ...(leaseId === undefined ? {} : { leaseIds: [leaseId] }),
  };
  try {
    const [receipt] = await transactReaching(transact, parts, together, phases, reached);
    if (receipt === undefined) throw new LockstepError('INTERNAL', 'A write without its receipt.');
    return receipt;
  } catch (error) {
    throw error instanceof LockstepError ? withoutOperation(error) : error;
  }
}

const changedByForeignKey = (key: Key): TransactedWrite => ({
  key,
  change: { op: 'patch', set: {}, increment: {} },
  byForeignKey: true,
});

/** The caller sent one operation, and knows of no others. */
function withoutOperation(error: LockstepError): LockstepError {
  const { operation, errors, ...rest } = error.details;
  if (operation === undefined) return error;
  const prefix = `operations.${operation}.value.`;
  const own = errors?.map(({ path, message }) => ({
    path: path.startsWith(prefix) ? path.slice(prefix.length) : path,
    message,
  }));
  return new LockstepError(error.code, error.message.replace(/^Operation \d+: /, ''), {
    outcome: error.outcome,
    ...(error.retryAfterMs === null ? {} : { retryAfterMs: error.retryAfterMs }),
    details: { ...rest, ...(own === undefined ? {} : { errors: own }) },
    cause: error.cause,
  });
}
