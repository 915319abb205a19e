/**
 * What goes over the wire. Requests are checked against these schemas, the API document is made of them, and the API's
 * tests hold real answers against them.
 */
import { ENTRY_FORMATS, ERROR_CODES, POLICIES } from '@lockstep/shared';
import { shape } from '@lockstep/shared/ops';
import { z } from 'zod';

const json = z.unknown();
const row = z.record(z.string(), json).meta({
  id: 'Row',
  description:
    'Column to value. Numbers beyond 2^53 and decimals are strings, timestamps ISO 8601 UTC, bytes base64.',
});
const keyPart = z.union([z.string(), z.int()]);
export const key = z.union([keyPart, z.array(keyPart)]).meta({
  id: 'Key',
  description: 'A string or whole number; a list of them for a composite key.',
});
const version = z.int().min(0).meta({
  description:
    'Grows with each applied write, by exactly 1 in a strict resource; 0 for a row that Lockstep never wrote.',
});
export const token = z.string().meta({
  description:
    'What you have seen, opaque. Send it with a read (`token` or the header `Lockstep-Token`): the answer is never older, from whichever instance. It grows with each answer; go on with the last one.',
});
const cache = z.enum(['fresh', 'invalidated', 'pending', 'none']).meta({
  id: 'CacheOutcome',
  description:
    'What the write left in the cache. fresh: this version or a newer one. invalidated: nothing older is served from there. pending: something older may still be there and is being removed. none: never cached.',
});

export const columns = row.meta({ description: 'Columns to their values.' });

export const newColumns = row.meta({
  description:
    'Columns to their values, those of the key among them. A column of the key may be left out where the database makes its value: a serial or identity column, auto_increment, or a default such as gen_random_uuid().',
});

export const patchBody = z
  .object({ $inc: z.record(z.string(), z.union([z.number(), z.string()])).optional() })
  .catchall(json)
  .meta({
    id: 'Patch',
    description: 'Columns to set, and `$inc`: numeric columns to what is added to them.',
    example: { $inc: { balance: -5 } },
  });

export const writeAnswer = shape('WriteAnswer', {
  resource: z.string(),
  key,
  version,
  value: row.nullable().meta({ description: 'The row after the write; null after a delete.' }),
  outcome: z.literal('applied'),
  cache,
  policy: z.enum(POLICIES),
  fence: z.int().nullable().meta({
    description: 'The number of this holder of the key; null where the policy takes no lock.',
  }),
  waitMs: z.number().meta({ description: 'The wait for the key’s lock, in ms.' }),
  token,
});

export const readAnswer = shape('ReadAnswer', {
  resource: z.string(),
  key,
  version: version.nullable().meta({
    description:
      'Null where the answer comes from a raw entry or from a query, which have none. Of a raw entry there is no ETag then.',
  }),
  value: z
    .union([row, z.array(row)])
    .meta({ description: 'The row; of a resource that is a query, the list of its rows.' }),
  source: z.enum(['cache', 'primary', 'replica']),
  token,
});

const codes = Object.keys(ERROR_CODES) as [keyof typeof ERROR_CODES];
export const problem = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(codes),
    outcome: z.enum(['applied', 'not_applied', 'unknown']),
    retryable: z.boolean(),
    requestId: z.string(),
    errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
    currentVersion: z.int().optional(),
    etag: z
      .string()
      .optional()
      .meta({ description: 'VERSION_MISMATCH: the entity tag of the row as it is.' }),
    constraint: z.string().optional(),
    sqlState: z.string().optional().meta({ description: 'What the database refused it with.' }),
    errorNumber: z.int().optional().meta({ description: 'On MySQL and MariaDB.' }),
    table: z.string().optional(),
    column: z.string().optional(),
    message: z
      .string()
      .optional()
      .meta({ description: 'What the author of a trigger or function of the database wrote.' }),
    operation: z
      .int()
      .optional()
      .meta({ description: 'Of a transaction: which operation it is about, from 0.' }),
    token: token.optional(),
    version: z
      .int()
      .optional()
      .meta({ description: 'GUARD_LOST, if the transaction has committed: the key’s version.' }),
    results: z
      .array(z.strictObject({ resource: z.string(), key, version: z.int(), cache }))
      .optional()
      .meta({ description: 'GUARD_LOST: the keys that the transaction has changed.' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457. Branch on `code`.' });

export const batchOperation = shape('Operation', {
  op: z.enum(['put', 'patch', 'delete', 'insert', 'get']),
  resource: z.string(),
  key: key.optional().meta({
    description: 'Of every operation but insert, whose value has the columns of the key.',
  }),
  value: row.optional(),
  ifMatch: z.union([z.int(), z.string()]).optional().meta({
    description: 'A version (for its plain entity tag), or an entity tag with its quotes.',
  }),
  ifNoneMatch: z.literal('*').optional().meta({ description: 'put: only create.' }),
  idempotencyKey: z.string().optional(),
  timeout: z.int().optional().meta({ description: 'Bound on the wait for the lock, in ms.' }),
  lease: z.string().optional().meta({ description: 'The lease that holds the key.' }),
  consistency: z.literal('primary').optional(),
  minVersion: z.int().optional(),
  token: token.optional(),
});
export const batchBody = shape('Batch', {
  operations: z.array(batchOperation),
  ordered: z.boolean().optional().meta({
    description:
      'Whether operations on one key run in their order. Default: true. With false, writes of one key run side by side and share transactions.',
  }),
});
export const batchAnswer = z.object({ results: z.array(z.looseObject({ status: z.int() })) }).meta({
  id: 'BatchAnswer',
  description:
    'In order: each operation’s status and entity tag (`etag`) with the body of its single call. Over the bound of the answer reads are 413 in their result, and writes have `valueOmitted: true` in the place of their value.',
});

export const transactionOperation = batchOperation
  .pick({ op: true, resource: true, key: true, value: true, ifMatch: true, ifNoneMatch: true })
  .extend({ op: z.enum(['put', 'patch', 'delete', 'insert']) });
export const transactionBody = z
  .strictObject({
    operations: z.array(transactionOperation),
  })
  .meta({
    id: 'Transaction',
    description: 'Each key stands once. The operations are carried out in this order.',
  });
export const transactionAnswer = z
  .strictObject({
    outcome: z.literal('applied'),
    results: z.array(writeAnswer.omit({ token: true }).extend({ status: z.int() })),
    token,
  })
  .meta({
    id: 'TransactionAnswer',
    description: 'In order: each operation’s status with the body of its single call.',
  });

export const setQuery = z.strictObject({
  where: z.string({ error: 'must be given, once: a JSON object of conditions' }).meta({
    description:
      'Which rows: a JSON object of columns, all of which must hold. A value means that the column equals it, null that it is NULL; `$eq`, `$ne`, `$lt`, `$lte`, `$gt`, `$gte` and `$in` compare. At least one condition.',
    example: '{"status":"open","balance":{"$lt":100}}',
  }),
});
export const setAnswer = z
  .strictObject({
    outcome: z.literal('applied'),
    affected: z.int().min(0),
    keys: z.array(key),
    versions: z.array(version).meta({ description: 'In the order of `keys`.' }),
    cache,
    token,
  })
  .meta({
    id: 'SetAnswer',
    description:
      'The rows that were changed, in the order of their keys. `cache` is what holds of all of them; none where there are none.',
  });

const ttl = z.union([z.int(), z.string()]).meta({
  description: 'How long the lease lasts from now: milliseconds, or a duration such as 30s.',
  example: '30s',
});
export const leaseBody = shape('Lease', { resource: z.string(), key, ttl });
export const leaseExtension = shape('LeaseExtension', { ttl });
export const leaseAnswer = shape('LeaseAnswer', {
  id: z.string(),
  resource: z.string(),
  key,
  fence: z.int().meta({
    description:
      'Above that of every earlier holder of the key, none of which can commit any more. Give it to the systems that the work under the lease changes, and have them refuse lower ones.',
  }),
  expiresAt: z.string().meta({ description: 'By this instance’s wall clock; for information.' }),
});
export const leaseRelease = shape('LeaseRelease', { invalidate: z.boolean().optional() });
export const leaseReleased = shape('LeaseReleased', {
  id: z.string(),
  resource: z.string(),
  key,
  released: z.literal(true),
  cache: cache.optional(),
});

export const guardBody = shape('Guard', {
  keys: z.array(z.strictObject({ resource: z.string(), key })).meta({
    description: 'Keys of strict resources; each names another row.',
  }),
  ttl: z.union([z.int(), z.string()]).meta({
    description:
      'How long the caller has to tell what became of its transaction: milliseconds, or a duration such as 10s.',
    example: '10s',
  }),
});
export const guardAnswer = shape('GuardAnswer', {
  id: z.string(),
  keys: z.array(
    z.strictObject({
      resource: z.string(),
      key,
      fence: z.int().meta({ description: 'What lockstep_guard is called with for this key.' }),
      version: version.meta({ description: 'The key’s version when it was guarded.' }),
    }),
  ),
  expiresAt: z.string().meta({ description: 'By this instance’s wall clock; for information.' }),
  database: z.string().meta({
    description:
      'The database, as database.client names it. It says how lockstep_guard is called: of pg as a function, of mysql2 as a procedure.',
    examples: ['pg', 'mysql2'],
  }),
});
export const guardCommitted = shape('GuardCommitted', {
  results: z.array(z.strictObject({ resource: z.string(), key, version, cache })),
});

export const invalidationBody = shape('Invalidation', {
  keys: z.array(z.strictObject({ resource: z.string(), key })).optional(),
  cacheKeys: z.array(z.string()).optional(),
});
export const invalidationAnswer = shape('InvalidationAnswer', {
  results: z.array(
    z.strictObject({
      resource: z.string().optional(),
      key: key.optional(),
      cacheKey: z.string().optional(),
      cache,
    }),
  ),
});

export const catalog = shape('Catalog', {
  cluster: z.string(),
  cacheId: z.string().nullable().meta({
    description:
      'What the key lockstep:server of the coordinators’ cache holds. A reader whose cache holds something else reads another server. Null: not known yet.',
  }),
  hasReplicas: z.boolean(),
  limits: z.strictObject({
    batchOperations: z.int(),
    bodyBytes: z.int(),
    transactionOperations: z.int(),
  }),
  resources: z.array(
    z.strictObject({
      name: z.string(),
      kind: z.enum(['rows', 'query', 'computed']),
      policy: z.enum(POLICIES),
      level: z.enum(['redis', 'local']).meta({
        description:
          'local: a reader may keep values in its own memory, by the rules of the read protocol.',
      }),
      stream: z.string().optional().meta({
        description:
          'Level local: the key of the stream in the cache that tells what is invalidated.',
      }),
      format: z.enum(ENTRY_FORMATS),
      key: z.array(
        z.strictObject({
          name: z.string(),
          type: z.string(),
          text: z.enum(['whole', 'text', 'trimmed', 'uuid', 'boolean', 'coordinator']).meta({
            description:
              'How the text of the part is made in a cache key. coordinator: only the coordinator can.',
          }),
        }),
      ),
      cacheKey: z.string().meta({ description: 'The template of cache keys.' }),
      owner: z.string().meta({ description: 'What the header of its own entries says in `o`.' }),
      isReadable: z.boolean().meta({ description: 'Whether its entries may be read now.' }),
      isStrict: z.boolean(),
      isPositioned: z.boolean(),
      rows: z.string().meta({ description: 'The name under which its rows have versions.' }),
      rowOrder: z.array(z.int()).optional(),
      life: z
        .strictObject({ ttlMs: z.number(), ttlJitter: z.number(), negativeTtlMs: z.number() })
        .optional()
        .meta({ description: 'Of a computed resource: how long what a client fills may live.' }),
    }),
  ),
});

export const probeAnswer = shape('Probe', {
  status: z.string(),
  checks: z
    .array(
      z.strictObject({
        name: z.string(),
        ok: z.boolean(),
        required: z.boolean(),
        detail: z.string().nullable(),
      }),
    )
    .optional(),
});

export const keyPath = z.object({
  resource: z.string(),
  key: z
    .string()
    .meta({ description: 'The key’s parts, each percent-encoded, joined by a bare comma.' }),
});
export const resourcePath = keyPath.pick({ resource: true });
export const idPath = z.object({ id: z.string() });

export const writeHeaders = z.object({
  'If-Match': z.string().optional().meta({
    description:
      'The ETag that the row must have, such as "7"; "7-k2f" where another program changed it since version 7.',
  }),
  'Idempotency-Key': z.string().optional().meta({
    description: 'A repeat within 24 h answers the first outcome again and applies nothing.',
  }),
  'Lockstep-Timeout': z
    .int()
    .optional()
    .meta({ description: 'Bound on the wait for the lock, in ms.' }),
  'Lockstep-Lease': z
    .string()
    .optional()
    .meta({ description: 'The lease that holds the key; the write goes through under it.' }),
  'Lockstep-Token': token.optional(),
});
export const putHeaders = writeHeaders.extend({
  'If-None-Match': z.literal('*').optional().meta({ description: 'Only create.' }),
});

export const readQuery = z.object({
  consistency: z.literal('primary').optional().meta({ description: 'Go to the database.' }),
  minVersion: z.int().optional().meta({ description: 'Never answer an older version.' }),
  token: token.optional(),
});

/** Headers of the answers to calls of one key. */
export const routedHeaders = z.object({
  'Lockstep-Instance': z.string().meta({ description: 'The coordinator that answered.' }),
  'Lockstep-Home': z.string().optional().meta({
    description: 'The address that this key’s calls are best sent to, where that is another one.',
  }),
});

export const insertedHeaders = z.object({
  Location: z.string().meta({ description: 'The path of the row, with the key that it has.' }),
});

const place = { instance: z.string(), url: z.string() };
export const members = shape('Members', {
  instance: z.string().meta({ description: 'Who answers.' }),
  mode: z.enum(['serve', 'forward']),
  members: z.array(
    z.strictObject({
      ...place,
      self: z.boolean(),
      leaving: z.boolean().meta({ description: 'It is stopping, and home of nothing.' }),
      seenAgoMs: z.int(),
      upMs: z.int(),
    }),
  ),
});
export const home = shape('Home', {
  resource: z.string(),
  key,
  home: z
    .strictObject(place)
    .nullable()
    .meta({ description: 'null while the database cannot say who is a member.' }),
  self: z.boolean(),
});

const flag = z.union([z.string(), z.array(z.string())]);
export const readyQuery = z.object({
  verbose: flag.optional().meta({ description: 'With each check; any value.' }),
});
