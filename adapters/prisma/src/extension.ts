/**
 * A client extension: writes of mapped models carry their invalidations, and reads by their key go through the cache.
 *
 *   write of one row            its key, before and after, in the transaction of the write
 *   write of many, nested       the whole resource, in the same transaction
 *   outside of a transaction    the write gets one of its own
 *   in a list of writes         refused: nothing can be added to it
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Key } from '@lockstep/client';
import { type KeyReader, readThrough } from '@lockstep/client/sql';
import {
  type DataModel,
  keyIn,
  keyOfWhere,
  mapModels,
  type MappedModel,
  type ModelResources,
  nestedModels,
  rowOfModel,
} from './models.ts';
import { invalidate, type Transaction } from './statements.ts';

type Args = Readonly<Record<string, unknown>>;
type Delegate = Readonly<Record<string, (args: Args) => Promise<unknown>>>;
type TransactionClient = Transaction & Readonly<Record<string, unknown>>;

/** What `$extends` gives to a hook. `__internalParams` is not in Prisma's documents. */
interface Call {
  model: string;
  operation: string;
  args: Args;
  query(args: Args): Promise<unknown>;
  __internalParams?: { transaction?: { kind: string } };
}

type Begin = (work: unknown, options?: unknown) => Promise<unknown>;
/** A generated client. */
export interface PrismaClientLike {
  $extends: unknown;
  $transaction: unknown;
}
/** The same with what is read of it that its types do not say. */
interface Opened {
  $extends(extension: object): Opened;
  $transaction: Begin;
  _runtimeDataModel?: DataModel;
  _globalOmit?: Readonly<Record<string, unknown>>;
}

/** What the operations that write do. Every other one reads. */
const WRITES: Readonly<Record<string, 'one' | 'many'>> = {
  ...{ create: 'one', update: 'one', upsert: 'one', delete: 'one' },
  ...{ createMany: 'many', createManyAndReturn: 'many', updateMany: 'many' },
  ...{ updateManyAndReturn: 'many', deleteMany: 'many' },
};

/**
 * The same client, whose writes and reads of these models go along with Lockstep (docs/adapters.md).
 * @throws TypeError where the schema has no such model or field, or this version of Prisma does not say what it has
 */
export function withLockstep<C extends PrismaClientLike>(
  prisma: C,
  lockstep: KeyReader,
  resources: ModelResources,
): C {
  const extension = new Extension(prisma as PrismaClientLike & Opened, lockstep, resources);
  // It has what it had: nothing is added to a client by these extensions.
  return extension.client as Opened & C;
}

class Extension {
  readonly client: Opened;
  readonly #schema: DataModel;
  readonly #models: Map<string, MappedModel[]>;
  readonly #lockstep: KeyReader;
  readonly #omitted: Readonly<Record<string, unknown>>;
  /** The transaction whose callback is running. */
  readonly #running = new AsyncLocalStorage<TransactionClient>();

  constructor(prisma: Opened, lockstep: KeyReader, resources: ModelResources) {
    const schema = prisma._runtimeDataModel;
    if (schema === undefined) throw unsupported();
    this.#schema = schema;
    this.#models = mapModels(schema, resources);
    this.#lockstep = lockstep;
    this.#omitted = prisma._globalOmit ?? {};
    const hooked = prisma.$extends({
      name: 'lockstep',
      query: { $allModels: { $allOperations: (call: Call) => this.#onCall(call) } },
    });
    const $transaction: Begin = (work, options) =>
      hooked.$transaction(typeof work === 'function' ? this.#known(work as Work) : work, options);
    this.client = hooked.$extends({ name: 'lockstep-transactions', client: { $transaction } });
  }

  /** Its writes find the transaction that they are in. */
  #known(work: Work): Work {
    return (tx) => this.#running.run(tx, () => work(tx));
  }

  async #onCall(call: Call): Promise<unknown> {
    const { model, operation, args, query, __internalParams: internal } = call;
    const mapped = this.#models.get(model) ?? [];
    const written = WRITES[operation];
    if (written === undefined) {
      const isRead = operation === 'findUnique' && mapped.length > 0;
      return isRead ? this.#read(call, mapped) : query(args);
    }
    const nested = this.#nested(model, args);
    if (mapped.length + nested.length === 0) return query(args);
    if (internal === undefined) throw unsupported();
    switch (internal.transaction?.kind) {
      case undefined:
        return this.client.$transaction((tx: TransactionClient) =>
          delegateOf(tx, model)[operation]?.(args),
        );
      case 'itx':
        return this.#write(call, mapped, nested, written);
      default:
        throw new TypeError(
          `${model} is kept in step by Lockstep, and cannot be written in a list of operations: use $transaction(async (tx) => …).`,
        );
    }
  }

  #nested(model: string, { data, create, update }: Args): MappedModel[] {
    const models = nestedModels(this.#schema, model, [data, create, update]);
    return [...models].flatMap((each) => this.#models.get(each) ?? []);
  }

  async #write(
    { model, operation, args, query }: Call,
    mapped: readonly MappedModel[],
    nested: readonly MappedModel[],
    written: 'one' | 'many',
  ): Promise<unknown> {
    const tx = this.#running.getStore();
    if (tx === undefined)
      throw new TypeError(
        `${model} is written in a transaction that was not begun by the client with Lockstep, or outside of its function.`,
      );
    const isKnown = written === 'one';
    const before = isKnown ? await keysBefore(tx, model, operation, args, mapped) : [];
    const result = await query(args);
    const calls = mapped.flatMap((each, index): [string, Key][] =>
      isKnown ? callsOf(each, before[index], result, args) : [[each.resource, []]],
    );
    for (const { resource } of nested) calls.push([resource, []]);
    for (const [resource, key] of distinct(calls)) await invalidate(tx, resource, key);
    return result;
  }

  #read({ model, args, query, __internalParams }: Call, mapped: readonly MappedModel[]) {
    const { where, ...more } = args;
    const isWhole = Object.values(more).every((value) => value === undefined);
    const isOutside = __internalParams !== undefined && __internalParams.transaction === undefined;
    if (!isWhole || !isOutside || jsName(model) in this.#omitted) return query(args);
    for (const each of mapped) {
      const key = keyOfWhere(each, where);
      if (key !== undefined && each.columns !== null) return this.#through(each, key, query, args);
    }
    return query(args);
  }

  async #through(mapped: MappedModel, key: Key, query: Call['query'], args: Args) {
    let isStored = false;
    const row = await readThrough(this.#lockstep, [mapped.resource, key], mapped.columns ?? {}, () => {
      isStored = true;
      return query(args) as Promise<Args | null>;
    });
    return row === null || isStored ? row : rowOfModel(mapped, row as Args);
  }
}

type Work = (tx: TransactionClient) => unknown;

const unsupported = (): TypeError =>
  new TypeError('This version of Prisma does not say what @lockstep/prisma needs to know of it.');

const jsName = (model: string): string => model.slice(0, 1).toLowerCase() + model.slice(1);

const delegateOf = (tx: TransactionClient, model: string): Delegate => tx[jsName(model)] as Delegate;

/** The key of the row for each resource, before the write; undefined where there is none, or none is known. */
async function keysBefore(
  tx: TransactionClient,
  model: string,
  operation: string,
  { where }: Args,
  mapped: readonly MappedModel[],
): Promise<(string[] | undefined)[]> {
  if (operation === 'create') return [];
  const select = Object.fromEntries(mapped.flatMap(({ key }) => key).map((name) => [name, true]));
  const row = await delegateOf(tx, model)['findUnique']?.({ where, select });
  return mapped.map((each) => keyIn(each, row));
}

/** The key that the row had and the one that it has; the whole resource where the result does not say it. */
function callsOf(
  mapped: MappedModel,
  before: string[] | undefined,
  result: unknown,
  { data, create, update }: Args,
): [resource: string, key: Key][] {
  const { resource, key } = mapped;
  const after = keyIn(mapped, result);
  const isMoved = [data, update].some(
    (values) => typeof values === 'object' && values !== null && key.some((name) => name in values),
  );
  const isUnknown = after === undefined && (before === undefined || isMoved || create !== undefined);
  if (isUnknown) return [[resource, []]];
  return [before, after].flatMap((each): [string, Key][] => (each ? [[resource, each]] : []));
}

const distinct = (calls: readonly [string, Key][]): [string, Key][] => [
  ...new Map(calls.map((call) => [JSON.stringify(call), call])).values(),
];
