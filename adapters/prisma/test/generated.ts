/**
 * What `prisma generate` makes of the schema of these tests, as far as they use it. The generator is not installed: with
 * all that it brings it is half as large as everything else in this repository together.
 */
import { createRequire } from 'node:module';
import { type Decimal, getPrismaClient } from '@prisma/client/runtime/client';

const load = createRequire(import.meta.url) as (name: string) => unknown;
const { Module } = Reflect.get(globalThis, 'WebAssembly') as {
  Module: new (bytes: Uint8Array) => object;
};
const COMPILER = '@prisma/client/runtime/query_compiler_fast_bg.postgresql';

const SCHEMA = `
generator client {
  provider   = "prisma-client"
  engineType = "client"
}
datasource db {
  provider = "postgresql"
}
model Account {
  id      BigInt @id
  owner   String
  balance BigInt
  @@map("accounts")
}
model Profile {
  id       BigInt    @id
  name     String
  score    Decimal?  @db.Decimal(20, 2)
  visits   Int?
  active   Boolean?
  seenAt   DateTime? @map("seen_at") @db.Timestamptz(3)
  birthday DateTime? @db.Date
  document Json?
  photo    Bytes?
  @@map("profiles")
}
model Route {
  origin      String
  destination String
  miles       Int
  @@id([origin, destination])
  @@map("routes")
}
`;

const scalar = (name: string, type: string, dbName?: string) => ({
  ...{ name, type, kind: 'scalar' },
  ...(dbName === undefined ? {} : { dbName }),
});
const model = (dbName: string, ...fields: object[]) => ({ dbName, schema: null, fields });
const MODELS = {
  models: {
    Account: model(
      'accounts',
      ...[scalar('id', 'BigInt'), scalar('owner', 'String'), scalar('balance', 'BigInt')],
    ),
    Profile: model(
      'profiles',
      ...[scalar('id', 'BigInt'), scalar('name', 'String'), scalar('score', 'Decimal')],
      ...[scalar('visits', 'Int'), scalar('active', 'Boolean')],
      ...[scalar('seenAt', 'DateTime', 'seen_at'), scalar('birthday', 'DateTime')],
      ...[scalar('document', 'Json'), scalar('photo', 'Bytes')],
    ),
    Route: model(
      'routes',
      ...[scalar('origin', 'String'), scalar('destination', 'String'), scalar('miles', 'Int')],
    ),
  },
  enums: {},
  types: {},
};

export interface Profile {
  id: bigint;
  name: string;
  score: Decimal | null;
  visits: number | null;
  active: boolean | null;
  seenAt: Date | null;
  birthday: Date | null;
  document: unknown;
  photo: Uint8Array | null;
}
export interface Route {
  origin: string;
  destination: string;
  miles: number;
}
interface Delegate<Row, Where> {
  findUnique(args: { where: Where; select?: object }): PrismaPromise<Row | null>;
  findMany(args?: object): PrismaPromise<Row[]>;
  create(args: { data: object; select?: object }): PrismaPromise<Row>;
  update(args: { where: Where; data: object; select?: object }): PrismaPromise<Row>;
  upsert(args: { where: Where; create: object; update: object }): PrismaPromise<Row>;
  delete(args: { where: Where }): PrismaPromise<Row>;
  updateMany(args: { where?: object; data: object }): PrismaPromise<{ count: number }>;
  deleteMany(args: { where?: object }): PrismaPromise<{ count: number }>;
}
type PrismaPromise<T> = Promise<T> & { readonly [Symbol.toStringTag]: string };
interface Models {
  account: Delegate<{ id: bigint; owner: string; balance: bigint }, { id: number | bigint }>;
  profile: Delegate<Profile, { id: number | bigint }>;
  route: Delegate<Route, { origin_destination: { origin: string; destination: string } }>;
}
export interface TransactionClient extends Models {
  $executeRawUnsafe(query: string, ...values: unknown[]): Promise<number>;
}
export interface PrismaClient extends Models {
  $extends: unknown;
  $transaction<T>(work: (tx: TransactionClient) => Promise<T>): Promise<T>;
  $transaction(operations: PrismaPromise<unknown>[]): Promise<unknown[]>;
  $executeRawUnsafe(query: string, ...values: unknown[]): Promise<number>;
  $connect(): Promise<void>;
  $disconnect(): Promise<void>;
}

const config = {
  previewFeatures: [],
  clientVersion: '7.10.0',
  engineVersion: 'of the tests',
  activeProvider: 'postgresql',
  inlineSchema: SCHEMA,
  runtimeDataModel: MODELS,
  // Without it no query's values are taken out of its plan.
  parameterizationSchema: { strings: [], graph: 'AAAA' },
  compilerWasm: {
    getRuntime: () => Promise.resolve(load(`${COMPILER}.js`)),
    getQueryCompilerWasmModule: () => {
      const { wasm } = load(`${COMPILER}.wasm-base64.js`) as { wasm: string };
      return Promise.resolve(new Module(Buffer.from(wasm, 'base64')));
    },
    importName: './query_compiler_fast_bg.js',
  },
};

/** Its types are those above: Prisma's own say only what every client has. */
export const PrismaClient: new (options: { adapter: object }) => PrismaClient = getPrismaClient(
  config as never,
) as never;
