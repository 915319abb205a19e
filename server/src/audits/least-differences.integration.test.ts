import { decodeEntry, encodeEntry } from '@lockstep/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bindResources } from '../database/configuration/bind-resources.ts';
import { MYSQL_LEAST_STEPS, PG_LEAST_STEPS } from '@lockstep/testkit/database/least-steps';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import { MYSQL_SAMPLES, PG_OWN_TYPES, PG_SAMPLES } from '@lockstep/testkit/database/type-samples';
import { keyFromText, type Resource } from '../domain/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import { compare } from './compare.ts';

interface Step {
  name: string;
  /** The column's definition. */
  sql: string;
  from: string;
  to: string;
}

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** A step for each type of PostgreSQL that the round trips know, which are those of the server's catalog. */
function stepsOfPg(): Step[] {
  return Object.entries(PG_SAMPLES).flatMap(([name, samples]): Step[] => {
    if (samples === null) return [];
    const [from, to] = PG_LEAST_STEPS[name] ?? samples;
    if (from === undefined || to === undefined) return [];
    const sql = name === 'char' ? '"char"' : name;
    return [{ name, sql, from: `${text(from)}::${sql}`, to: `${text(to)}::${sql}` }];
  });
}

function stepsOfMysql(): Step[] {
  return MYSQL_SAMPLES.flatMap(([name, ...samples]): Step[] => {
    const [from, to] = MYSQL_LEAST_STEPS[name] ?? samples;
    return from === undefined || to === undefined ? [] : [{ name, sql: name, from, to }];
  });
}

describe.each(installedClients())('an audit on %s', (client) => {
  const steps = client === 'pg' ? stepsOfPg() : stepsOfMysql();
  let database: TestDatabase;
  let tables = 0;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    if (client === 'pg') for (const statement of PG_OWN_TYPES) await database.execute(statement);
  });
  afterAll(() => database?.drop());

  async function resourceOver(table: string): Promise<Resource> {
    const { resources, faults } = await bindResources(
      [config({ name: table, table, cacheKey: `${table}:{id}` })],
      database.catalog,
    );
    expect(faults).toEqual([]);
    const [resource] = resources;
    if (resource === undefined) throw new Error(`no resource over ${table}`);
    return resource;
  }

  it('has a step for every type', () => {
    const known = new Set(steps.map(({ name }) => name));
    const all =
      client === 'pg'
        ? Object.keys(PG_SAMPLES).filter((name) => PG_SAMPLES[name] !== null)
        : MYSQL_SAMPLES.map(([name]) => name);
    expect(all.filter((name) => !known.has(name))).toEqual([]);
  });

  it('J3: sees the least change that another program can make, in a value of any type', async () => {
    const unseen: string[] = [];
    let tried = 0;
    for (const { name, sql, from, to } of steps) {
      const table = `stepped_${++tables}`;
      const isThere = await database
        .execute(`create table ${table} (id int primary key, v ${sql})`)
        .then(
          () => true,
          () => false,
        );
      if (!isThere) continue;
      tried += 1;
      await database.execute(`insert into ${table} values (1, ${from})`);
      const key = keyFromText(await resourceOver(table), '1');
      const { row } = await database.rows.read(key);
      const entry = decodeEntry(
        encodeEntry({ state: 'value', version: 0, fence: 0, writtenAtMs: 1, row }),
      );
      const stored = { entry, text: '' };
      const before = await database.rows.read(key);
      expect(compare(key.resource, stored, 1_000, before), `${name}: as it was`).toBe('agrees');
      await database.execute(`update ${table} set v = ${to} where id = 1`);
      const after = await database.rows.read(key);
      if (compare(key.resource, stored, 1_000, after) !== 'stale') unseen.push(name);
    }
    expect(tried).toBeGreaterThan(50);
    expect(unseen).toEqual([]);
  });
});
