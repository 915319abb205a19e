/**
 * Writes whose foreign keys change rows of strict resources. As in any strict write, the entries of those rows must hide
 * their old values before the commit. The write therefore becomes a transaction that also holds those rows, each with an
 * intent and a fence. The database reports which rows they are; if it finds more than the transaction holds, it refuses,
 * and the transaction is tried again with them.
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
import type { WriteServiceOptions } from './options.ts';

/** How often it is tried with more rows. */
const MAX_ATTEMPTS = 5;

/** Ends a write that would change strict rows that it does not hold. Nothing was applied. */
export class ReachesStrict extends Error {
  override readonly name = 'ReachesStrict';
  readonly keys: readonly Key[];

  constructor(keys: readonly Key[]) {
    super(`${keys.length} strict rows by foreign keys`);
    this.keys = keys;
  }
}

/** What the row store needs in order to follow the foreign keys of this resource. */
export function reachOf(
  { resources }: Pick<WriteServiceOptions, 'resources'>,
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
  options: WriteServiceOptions,
  request: TransactionRequest,
  phases: WritePhases,
) => Promise<WriteReceipt[]>;

/** Carries out a transaction, together with the strict rows that it turns out to change. */
export async function transactReaching(
  transact: Transact,
  options: WriteServiceOptions,
  request: TransactionRequest,
  phases: WritePhases,
  reached: readonly Key[] = [],
): Promise<WriteReceipt[]> {
  const keys = new Map(reached.map((key) => [key.lockKey, key]));
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const own = new Set(request.writes.map(({ key }) => key.lockKey));
    const others = [...keys.values()].filter(({ lockKey }) => !own.has(lockKey));
    const writes = [...request.writes, ...others.map(changedByForeignKey)];
    try {
      const receipts = await transact(options, { ...request, writes }, phases);
      return receipts.slice(0, request.writes.length);
    } catch (error) {
      if (!(error instanceof ReachesStrict)) throw error;
      for (const key of error.keys) keys.set(key.lockKey, key);
    }
  }
  throw new LockstepError(
    'DATABASE_UNAVAILABLE',
    'Foreign keys of this write reached further rows at each attempt; nothing was applied.',
  );
}

/** Carries out a single write that turned out to reach strict rows. */
export async function writeReaching(
  transact: Transact,
  options: WriteServiceOptions,
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
    const [receipt] = await transactReaching(transact, options, together, phases, reached);
    if (receipt === undefined)
      throw new LockstepError('INTERNAL', 'The transaction answered no receipt for its write.');
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

/** The caller sent one operation, so the error must not name an operation by its index. */
export function withoutOperation(error: LockstepError): LockstepError {
  const { operation, errors, ...rest } = error.details;
  if (operation === undefined) return error;
  const prefix = `operations.${operation}.value.`;
  const own = errors?.map(({ path, message }) => ({
    path: path.startsWith(prefix) ? path.slice(prefix.length) : path,
    message,
  }));
  return error.with(error.message.replace(/^Operation \d+: /, ''), {
    ...rest,
    ...(own === undefined ? {} : { errors: own }),
  });
}
