import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bindResources } from '../../../server/src/database/index.ts';
import type { RowStore, RowWrite, RowWriteResult } from '../../../server/src/database/port.ts';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { installedClients } from '@lockstep/testkit/servers';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import {
  isDerived,
  makeKey,
  type Change,
  type Key,
  type Resource,
} from '../../../server/src/domain/index.ts';
import { createOutboxStore } from '../../../server/src/outbox/index.ts';
import type { OutboxRow, OutboxStore, OutboxDecision } from '../../../server/src/outbox/port.ts';
import { simulatedResources, TABLE_RULES } from '../world/resources.ts';
import { MemoryDatabase } from './memory-database.ts';
import { outboxStoreOn } from './outbox-store.ts';
import { rowStoreOn } from './row-store.ts';
import type { SendToDatabase } from './send-to-database.ts';

/** The real database and the one in memory. */
interface Stores {
  rows: RowStore;
  outbox: OutboxStore;
}

type Step =
  | ({ do: 'write'; key: number; resource: string; repeat: number | null } & Pick<
      RowWrite,
      'change' | 'outbox'
    > & { fence?: number; ifMatch?: number; verified?: boolean })
  | { do: 'transact'; writes: TransactedStep[]; repeat: number | null; verified: boolean | null }
  | { do: 'write-in-order'; key: number; resource: string; writes: OrderedStep[] }
  | { do: 'read'; key: number; resource: string }
  | { do: 'raise-fence'; key: number; resource: string; fence: number; refused: number | null }
  | { do: 'record-refusal'; key: number; resource: string; repeat: number }
  | { do: 'find-outcome'; repeat: number }
  | { do: 'append'; key: number }
  | { do: 'take'; limit: number; decision: 'done' | 'retry' | 'dead' | 'fails' };

type TransactedStep = { key: number; resource: string } & Pick<RowWrite, 'change' | 'outbox'> & {
    fence?: number;
    ifMatch?: number;
  };

type OrderedStep = Pick<RowWrite, 'change' | 'outbox'> & { repeat: number | null };

const keys = { key: fc.integer({ min: 1, max: 2 }), resource: fc.constantFrom('account', 'note') };
const repeat = fc.integer({ min: 1, max: 3 });
const fence = fc.integer({ min: 1, max: 12 });
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    op: fc.constant('put' as const),
    set: fc.record({
      mark: fc.constantFrom('a', 'b'),
      count: fc.integer({ min: -1, max: 3 }),
    }),
    onlyCreate: fc.boolean(),
  }),
  fc.record({
    op: fc.constant('patch' as const),
    set: fc.constantFrom({}, { mark: 'c' }),
    increment: fc.constantFrom({ count: '1' }, { count: '-2' }),
  }),
  fc.constant({ op: 'delete' as const }),
);
const write = fc
  .record(
    {
      do: fc.constant('write' as const),
      ...keys,
      change,
      outbox: fc.boolean(),
      repeat: fc.option(repeat, { freq: 3 }),
      fence,
      ifMatch: fc.integer({ min: 0, max: 3 }),
      verified: fc.boolean(),
    },
    { requiredKeys: ['do', 'key', 'resource', 'change', 'outbox', 'repeat'] },
  )
  .map((step): Step => step);
const transact = fc
  .record({
    do: fc.constant('transact' as const),
    writes: fc.uniqueArray(
      fc.record(
        { ...keys, change, outbox: fc.boolean(), fence, ifMatch: fc.integer({ min: 0, max: 3 }) },
        { requiredKeys: ['key', 'resource', 'change', 'outbox'] },
      ),
      { minLength: 1, maxLength: 4, selector: ({ resource, key }) => `${resource} ${key}` },
    ),
    repeat: fc.option(repeat, { freq: 3 }),
    verified: fc.option(fc.boolean(), { freq: 3 }),
  })
  .map((step): Step => step);
const writeInOrder = fc
  .record({
    do: fc.constant('write-in-order' as const),
    ...keys,
    writes: fc.array(
      fc.record({
        change: change.filter((one) => one.op !== 'put' || !one.onlyCreate),
        outbox: fc.boolean(),
        repeat: fc.option(repeat, { freq: 3 }),
      }),
      { minLength: 2, maxLength: 5 },
    ),
  })
  .map((step): Step => step);
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: writeInOrder },
  { weight: 4, arbitrary: transact },
  { weight: 6, arbitrary: write },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), ...keys }) },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ do: fc.constant('raise-fence' as const), ...keys, fence },
      refused: fc.option(repeat),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('record-refusal' as const), ...keys, repeat }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('find-outcome' as const), repeat }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('append' as const), key: keys.key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('take' as const),
      limit: fc.integer({ min: 1, max: 4 }),
      decision: fc.constantFrom(
        'done' as const,
        'retry' as const,
        'dead' as const,
        'fails' as const,
      ),
    }),
  },
);

/** More than one step gives. */
const FENCES_APART = 10;
const TABLES = [
  'lockstep_keys',
  'lockstep_outbox',
  'lockstep_idempotency',
  'lockstep_dead_letters',
];

describe.each(installedClients())('the simulated database beside %s', (client) => {
  let real: TestDatabase;
  let resources: ReadonlyMap<string, Resource>;

  beforeAll(async () => {
    real = await openTestDatabase(client);
    const plain = [...simulatedResources(60_000, true).values()].filter((one) => !isDerived(one));
    for (const { table } of plain) {
      await real.execute(
        `create table ${table} (id integer primary key, mark varchar(20) not null default '',
          count bigint not null default 0, constraint count_not_negative check (count >= 0))`,
      );
    }
    const configs = plain.map(
      ({ cacheKey, invalidates, columns: _c, keyColumns: _k, ...rest }) => ({
        ...rest,
        key: ['id'],
        cacheKey: cacheKey.text,
        invalidates: invalidates.map(({ text }) => text),
      }),
    );
    const bound = await bindResources(configs, real.catalog);
    expect(bound.faults).toEqual([]);
    resources = new Map(bound.resources.map((one) => [one.name, one]));
  });
  afterAll(() => real?.drop());

  const keyOf = (resource: string, key: number): Key => {
    const found = resources.get(resource);
    if (found === undefined) throw new Error(`no resource ${resource}`);
    return makeKey(found, [String(key)]);
  };

  /** Carries out one step on one of the two. Returns the answer, with ids replaced by their order. */
  async function take(stores: Stores, step: Step, place: number): Promise<unknown> {
    const { rows, outbox } = stores;
    switch (step.do) {
      case 'write': {
        const { do: _do, key, resource, repeat: repeated, verified, ...rest } = step;
        const verify = verified === undefined ? {} : { verify: () => Promise.resolve(verified) };
        const idempotency =
          repeated === null ? {} : { idempotency: { key: `once ${repeated}`, requestHash: 'x' } };
        const result = await rows.write({
          key: keyOf(resource, key),
          ...rest,
          ...idempotency,
          ...verify,
        });
        return result.status === 'applied'
          ? { ...result, outboxId: result.outboxId !== null }
          : result;
      }
      case 'transact': {
        const { writes, repeat: repeated, verified } = step;
        const result = await rows.writeTogether({
          writes: writes.map(({ key, resource, ...rest }) => ({
            key: keyOf(resource, key),
            ...rest,
          })),
          ...(verified === null ? {} : { verify: () => Promise.resolve(verified) }),
          ...(repeated === null
            ? {}
            : { idempotency: { key: `once ${repeated}`, requestHash: 'x' } }),
        });
        if (result.status !== 'applied') return result;
        return result.rows.map((row) => ({ ...row, outboxId: row.outboxId !== null }));
      }
      case 'write-in-order': {
        const { key, resource, writes } = step;
        // As a holder's: above all that were given before.
        const first = FENCES_APART * (place + 1);
        const results = await rows.writeInOrder(
          writes.map(({ repeat: repeated, ...rest }, index) => ({
            ...{ key: keyOf(resource, key), fence: first + index, ...rest },
            ...(repeated === null
              ? {}
              : { idempotency: { key: `once ${repeated}`, requestHash: 'x' } }),
          })),
        );
        return results.map(inShort);
      }
      case 'read':
        return rows.read(keyOf(step.resource, step.key));
      case 'raise-fence': {
        const refusal = { reason: 'not-found', currentVersion: 7 } as const;
        const refused =
          step.refused === null
            ? undefined
            : { idempotency: { key: `once ${step.refused}`, requestHash: 'x' }, refusal };
        return rows.raiseFence(keyOf(step.resource, step.key), step.fence, refused);
      }
      case 'record-refusal':
        return rows.recordRefusal(
          keyOf(step.resource, step.key),
          { key: `once ${step.repeat}`, requestHash: 'y' },
          { reason: 'exists', currentVersion: 3 },
        );
      case 'find-outcome':
        return rows.findOutcome(`once ${step.repeat}`);
      case 'append':
        return outbox.append([{ resource: 'note', keyText: String(step.key) }, { cacheKey: 'x' }]);
      case 'take':
        return relay(outbox, step);
    }
  }

  async function relay(
    outbox: OutboxStore,
    { limit, decision }: Extract<Step, { do: 'take' }>,
  ): Promise<unknown> {
    let seen: unknown[] = [];
    const deliver = (taken: OutboxRow[]): Promise<OutboxDecision[]> => {
      seen = taken.map(({ id: _id, ageMs: _ageMs, ...row }) => row);
      if (decision === 'fails') return Promise.reject(new Error('the relay failed'));
      return Promise.resolve(taken.map(({ id }) => decisionOn(id, decision)));
    };
    const count = await outbox.take(limit, 0, deliver).catch((error: unknown) => String(error));
    const { depth, deadLetters } = await outbox.depth();
    return { count, seen, depth, deadLetters };
  }

  // The simulated database gives PostgreSQL's codes.
  const comparable = (answer: unknown): unknown =>
    client === 'pg' ? answer : withoutCodes(answer);

  it('gives the same answers for random statements', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(steps, { minLength: 20, maxLength: 60, size: 'max' }),
        async (asked) => {
          for (const { table } of resources.values()) await real.execute(`delete from ${table}`);
          for (const table of TABLES) await real.execute(`delete from ${table}`);
          const { timers } = manualRuntime();
          const memory = new MemoryDatabase(TABLE_RULES, () => Date.now());
          const send: SendToDatabase = (_statement, step) => Promise.resolve().then(step);
          const simulated: Stores = {
            rows: rowStoreOn(
              memory,
              send,
              {
                begun: () => {},
                abandoned: (transaction) => memory.rollBack(transaction),
              },
              timers,
            ),
            outbox: outboxStoreOn(memory.outbox, send),
          };
          const actual: Stores = { rows: real.rows, outbox: createOutboxStore(real) };
          for (const [place, step] of asked.entries()) {
            const answer = await take(simulated, step, place);
            expect(comparable(answer)).toEqual(comparable(await take(actual, step, place)));
          }
        },
      ),
      { numRuns: 120 },
    );
  });
});

/** Without what the server itself says of a refusal. */
function withoutCodes(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(withoutCodes);
  if (answer === null || typeof answer !== 'object' || answer instanceof Error) return answer;
  const fields = Object.entries(answer).filter(([name]) => name !== 'answer');
  return Object.fromEntries(fields.map(([name, value]) => [name, withoutCodes(value)]));
}

function decisionOn(id: string, decision: 'done' | 'retry' | 'dead'): OutboxDecision {
  switch (decision) {
    case 'done':
      return { id, decision };
    case 'retry':
      return { id, decision, delayMs: 0, counted: true, error: 'again' };
    case 'dead':
      return { id, decision, error: 'never' };
  }
}

/** Without what is looked up after the others: the fence and version that are stored then. */
function inShort(result: RowWriteResult | Error | null): unknown {
  if (result === null || result instanceof Error) return result;
  if (result.status === 'applied') return { ...result, outboxId: result.outboxId !== null };
  if (result.status === 'refused') return result.refusal.reason;
  return result.status;
}
