/**
 * A client extension: writes of mapped models carry their invalidations, and reads by their key go through the cache.
 *
 *   write of one row            its key, before and after, in the transaction of the write
 *   write of many, nested       the whole resource, in the same transaction
 *   outside of a transaction    the write gets one of its own
 *   in a list of writes         refused: nothing can be added to it
 */
import type { Key } from '@lockstep/client';
import { invalidateSql, type KeyReader, readThrough } from '@lockstep/client/sql';
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
import { databaseOf } from './statements.ts';

type Args = Readonly<Record<string, unknown>>;
/** What Prisma passes on with a statement in a transaction. */
interface InTransaction {
  kind: string;
}
/** It runs when it is waited for, or in the transaction that it is given. */
interface Statement extends PromiseLike<unknown> {
  requestTransaction?(transaction: InTransaction): PromiseLike<unknown>;
}
type Delegate = Readonly<Record<string, (args: Args) => Statement>>;

/** What `$extends` gives to a hook. `__internalParams` is not in Prisma's documents. */
interface Call {
  model: string;
  operation: string;
  args: Args;
  query: (args: Args) => Promise<unknown>;
  __internalParams?: { transaction?: InTransaction };
}

/** A generated client. */
export interface PrismaClientLike {
  $extends: unknown;
  $transaction: unknown;
}
/** The same with what is used of it that its types do not say. */
interface Opened {
  $extends(extension: object): Opened;
  $transaction(work: (tx: object) => PromiseLike<unknown>): Promise<unknown>;
  $executeRawUnsafe(query: string, ...values: unknown[]): Statement;
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
  const given: object = prisma;
  const { client }: { client: object } = new Extension(given as Opened, lockstep, resources);
  // It has what it had: nothing is added to a client by this extension.
  return client as C;
}

class Extension {
  readonly client: Opened;
  /** Without this extension: what runs on it is not seen by the hook again. */
  readonly #plain: Opened;
  readonly #schema: DataModel;
  readonly #models: Map<string, MappedModel[]>;
  readonly #lockstep: KeyReader;

  constructor(prisma: Opened, lockstep: KeyReader, resources: ModelResources) {
    const schema = prisma._runtimeDataModel;
    if (schema === undefined) throw unsupported();
    this.#plain = prisma;
    this.#schema = schema;
    this.#models = mapModels(schema, resources);
    this.#lockstep = lockstep;
    this.client = prisma.$extends({
      name: 'lockstep',
      query: { $allModels: { $allOperations: (call: Call) => this.#onCall(call) } },
    });
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
    const { transaction } = internal;
    if (transaction === undefined)
      return this.client.$transaction((tx) => delegateOf(tx, model, operation)(args));
    if (transaction.kind !== 'itx')
      throw new TypeError(
        `${model} is kept in step by Lockstep, and cannot be written in a list of operations: use $transaction(async (tx) => …).`,
      );
    return this.#write(call, transaction, mapped, nested);
  }

  #nested(model: string, { data, create, update }: Args): MappedModel[] {
    const models = nestedModels(this.#schema, model, [data, create, update]);
    return [...models].flatMap((each) => this.#models.get(each) ?? []);
  }

  async #write(
    { model, operation, args, query }: Call,
    transaction: InTransaction,
    mapped: readonly MappedModel[],
    nested: readonly MappedModel[],
  ): Promise<unknown> {
    const isKnown = WRITES[operation] === 'one';
    const before =
      isKnown && operation !== 'create' ? await this.#keys(model, args, transaction, mapped) : [];
    const result = await query(args);
    const calls = mapped.flatMap((each, index): [string, Key][] =>
      isKnown ? callsOf(each, before[index], result, args) : [[each.resource, []]],
    );
    for (const { resource } of nested) calls.push([resource, []]);
    const { dialect, placeholders } = databaseOf(this.#plain);
    for (const [resource, key] of distinct(calls)) {
      const [text, values] = invalidateSql(dialect, resource, key, placeholders);
      await within(transaction, this.#plain.$executeRawUnsafe(text, ...values));
    }
    return result;
  }

  /** The key of the row for each resource, before the write; undefined where there is no row. */
  async #keys(
    model: string,
    { where }: Args,
    transaction: InTransaction,
    mapped: readonly MappedModel[],
  ): Promise<(string[] | undefined)[]> {
    const select = Object.fromEntries(mapped.flatMap(({ key }) => key).map((name) => [name, true]));
    if (mapped.length === 0) return [];
    const find = delegateOf(this.#plain, model, 'findUnique');
    const row = await within(transaction, find({ where, select }));
    return mapped.map((each) => keyIn(each, row));
  }

  #read({ model, args, query, __internalParams }: Call, mapped: readonly MappedModel[]) {
    const { where, ...more } = args;
    const isWhole = Object.values(more).every((value) => value === undefined);
    const isOutside = __internalParams !== undefined && __internalParams.transaction === undefined;
    if (!isWhole || !isOutside || jsName(model) in (this.#plain._globalOmit ?? {}))
      return query(args);
    for (const each of mapped) {
      const key = keyOfWhere(each, where);
      if (key !== undefined && each.columns !== null) return this.#through(each, key, query, args);
    }
    return query(args);
  }

  async #through(mapped: MappedModel, key: Key, query: Call['query'], args: Args) {
    let isStored = false;
    const row = await readThrough(
      this.#lockstep,
      [mapped.resource, key],
      mapped.columns ?? {},
      () => {
        isStored = true;
        return query(args) as Promise<Args | null>;
      },
    );
    return row === null || isStored ? row : rowOfModel(mapped, row);
  }
}

const unsupported = (): TypeError =>
  new TypeError('This version of Prisma does not say what @lockstep/prisma needs to know of it.');

/** @throws TypeError where this version of Prisma runs it elsewhere */
function within(transaction: InTransaction, statement: Statement): PromiseLike<unknown> {
  if (statement.requestTransaction === undefined) throw unsupported();
  return statement.requestTransaction(transaction);
}

const jsName = (model: string): string => model.slice(0, 1).toLowerCase() + model.slice(1);

function delegateOf(client: object, model: string, operation: string) {
  const delegate = (client as Readonly<Record<string, Delegate | undefined>>)[jsName(model)];
  const found = delegate?.[operation];
  if (found === undefined) throw unsupported();
  return found.bind(delegate);
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
  const isUnknown =
    after === undefined && (before === undefined || isMoved || create !== undefined);
  if (isUnknown) return [[resource, []]];
  return [before, after].flatMap((each): [string, Key][] => (each ? [[resource, each]] : []));
}

const distinct = (calls: readonly [string, Key][]): [string, Key][] => [
  ...new Map(calls.map((call) => [JSON.stringify(call), call])).values(),
];
