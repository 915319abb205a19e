import { expect } from 'vitest';
import type { JsonValue, Row } from '@lockstep/shared';
import { untilAllIsWell } from '../../support/all-well.ts';
import type { Answer } from '../../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId, SHOP_SQL, type SqlClient } from '../../support/shop.ts';

const byTeam = {
  query: 'select id, name from members where team = {team} order by id',
  parameters: { team: 'text' },
  dependsOn: [{ table: 'members', key: { team: 'team' } }],
  ttl: '10m',
};
const member = { table: 'members', key: ['id'], ttl: '10m' };
/** Long enough to be met on its way, whatever the machine does. */
const SLOW_S = 0.6;
const SLOWLY: Record<SqlClient, string> = {
  pg: `(select 1 from pg_sleep(${SLOW_S}))`,
  mysql2: `sleep(${SLOW_S}) + 1`,
};

/** Resources by each policy over one table, and queries over it. The log is followed. */
export const derivedShop = (client: SqlClient) => ({
  changeLog: { mode: 'on' },
  resources: {
    plain: { ...member, cacheKey: 'plain:{id}', policy: 'delete-after-write' },
    double: { ...member, cacheKey: 'double:{id}', policy: 'delayed-double-delete' },
    strict: { ...member, cacheKey: 'strict:{id}', policy: 'strict' },
    uncached: { ...member, cacheKey: 'uncached:{id}', policy: 'none' },
    refreshed: {
      ...member,
      cacheKey: 'refreshed:{id}',
      policy: 'refresh',
      refresh: { every: '1h' },
    },
    logged: { ...member, cacheKey: 'logged:{id}', policy: 'change-log' },
    team: {
      ...byTeam,
      audit: { every: '1h', sample: 400, grace: '100ms', repair: 'refresh' },
      maxRows: 50,
    },
    'team-by-log': { ...byTeam, policy: 'change-log' },
    'team-uncached': { ...byTeam, policy: 'none' },
    'team-slowly': {
      ...byTeam,
      query: `select id, name, ${SLOWLY[client]} as pause from members where team = {team} order by id limit 1`,
    },
    // No strict resource shares its table: its writes go on while the cache is away.
    part: { table: 'parts', key: ['region', 'sku'], cacheKey: 'part:{region}:{sku}', ttl: '10m' },
    // No order of its own; the region is part of the table's key.
    stock: {
      query: 'select sku, stock from parts where region = {region}',
      parameters: ['region'],
      dependsOn: [{ table: 'parts', key: { region: 'region' } }],
    },
    // Nothing of Lockstep writes it, and its column is in no key.
    quantities: {
      query: 'select id from orders where quantity = {quantity} order by id',
      parameters: ['quantity'],
      dependsOn: [{ table: 'orders', key: { quantity: 'quantity' } }],
    },
  },
});

/** The log has complete rows of members, and only the keys of the other tables. */
export const DERIVED_SQL = `${SHOP_SQL.pg}\nALTER TABLE members REPLICA IDENTITY FULL;\n`;

/** All is well except for one table, on purpose: the log lacks columns of its rows. */
export const untilWell = (bed: TestBed): Promise<void> =>
  untilAllIsWell(bed, (detail) =>
    /^orders: the log does not contain quantity [^;]*; allowed: \S+( \S+){5}$/.test(detail),
  );

export const RECOVERY = { withinMs: 90_000, everyMs: 50 };

let lastTeam = 0;
/** A team that no other test uses, with what would be text of SQL if it ever were. */
export const newTeam = (): string => `team ' {team} ${(lastTeam += 1)}`;

export const valueOf = (answer: Answer): JsonValue | undefined =>
  (JSON.parse(answer.text) as { value?: JsonValue }).value;

export class Teams {
  readonly #bed: TestBed;

  constructor(bed: TestBed) {
    this.#bed = bed;
  }

  async read(team: string, resource = 'team'): Promise<{ names: string[]; source: string }> {
    const answer = await this.#bed.api.get(resource, team);
    expect(answer.status, answer.text).toBe(200);
    const rows = valueOf(answer) as Row[];
    return { names: rows.map(({ name }) => String(name)), source: answer.body.source ?? '' };
  }

  /** Until the team is answered from the cache. */
  async cached(team: string, resource = 'team'): Promise<string[]> {
    return eventually(async () => {
      const { names, source } = await this.read(team, resource);
      expect(source).toBe('cache');
      return names;
    }, RECOVERY);
  }

  /** The names that the database has. */
  async stored(team: string): Promise<string[]> {
    const rows = await this.#bed.behind.sql('SELECT name FROM members WHERE team = ? ORDER BY id', [
      team,
    ]);
    return rows.map(({ name }) => String(name));
  }

  /** Inserted without Lockstep. */
  async insert(team: string, name: string): Promise<number> {
    const id = newId();
    await this.#bed.behind.sql('INSERT INTO members (id, team, name) VALUES (?, ?, ?)', [
      id,
      team,
      name,
    ]);
    return id;
  }

  /** Until every team is answered, from the cache, as the database has it. */
  async current(teams: readonly string[], resource = 'team'): Promise<void> {
    await eventually(async () => {
      for (const team of teams) {
        const { names, source } = await this.read(team, resource);
        expect({ names, source }).toEqual({ names: await this.stored(team), source: 'cache' });
      }
    }, RECOVERY);
  }
}
