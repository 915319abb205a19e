import { readStatements, type SqlRow, type SqlRunner } from '../database/index.ts';
import type { ApiKeyStore, ListedApiKey, ValidApiKey } from './port.ts';
import { parseScope, type Role, ROLES, type Scope, scopeText } from './scopes.ts';
import sharedSql from './sql/api-keys.sql?raw';

const SQL = readStatements({ name: 'api-keys', shared: sharedSql }, [
  ...([
    'add',
    'count-valid',
    'list',
    'list-valid',
    'note-used',
    'prune',
    'revoke',
    'rotate',
  ] as const),
]);

/** Every coordinator holds all valid keys in memory, and reads them every second. */
export const MAX_VALID_KEYS = 1_000;
const HASH = /^[0-9a-f]{64}$/;
/** How long a key is listed after its end. */
const KEPT_MS = 90 * 86_400_000;

export function createApiKeyStore({ sql }: { readonly sql: SqlRunner }): ApiKeyStore {
  return {
    async add({ scopes, ...key }) {
      await sql.run(SQL.prune, { keptMs: KEPT_MS });
      const { rows } = await sql.run(SQL['count-valid']);
      if (Number(rows[0]?.valid) >= MAX_VALID_KEYS) return false;
      await sql.run(SQL.add, { ...key, scopes: JSON.stringify(scopes.map(scopeText)) });
      return true;
    },
    list: async () => (await sql.run(SQL.list)).rows.map(listed),
    valid: async () => (await sql.run(SQL['list-valid'])).rows.filter(isWhole).map(valid),
    rotate: async (id, change) => (await sql.run(SQL.rotate, { id, ...change })).affected > 0,
    revoke: async (id) => (await sql.run(SQL.revoke, { id })).affected > 0,
    async noteUsed(ids) {
      for (const id of ids) await sql.run(SQL['note-used'], { id });
    },
  };
}

const listed = (row: SqlRow): ListedApiKey => ({
  id: row.id ?? '',
  name: row.name ?? '',
  prefix: row.prefix ?? '',
  scopes: textsIn(row.scopes),
  role: row.role ?? null,
  state: row.state === 'valid' || row.state === 'expired' ? row.state : 'revoked',
  createdAtMs: Number(row.created_at_ms),
  expiresAtMs: numberOf(row.expires_at_ms),
  revokedAtMs: numberOf(row.revoked_at_ms),
  formerUntilMs: numberOf(row.former_until_ms),
  usedAtMs: numberOf(row.used_at_ms),
});

/** A row that somebody else has written may hold anything. */
const isWhole = (row: SqlRow): boolean =>
  HASH.test(row.secret_hash ?? '') && HASH.test(row.former_hash ?? row.secret_hash ?? '');

function valid(row: SqlRow): ValidApiKey {
  const formerLeftMs = numberOf(row.former_left_ms) ?? 0;
  const formerHash = row.former_hash ?? null;
  return {
    id: row.id ?? '',
    prefix: row.prefix ?? '',
    secretHash: row.secret_hash ?? '',
    former: formerHash === null ? null : { secretHash: formerHash, leftMs: formerLeftMs },
    scopes: scopesIn(row.scopes),
    role: ROLES.find((role: Role) => role === row.role) ?? null,
    leftMs: numberOf(row.left_ms),
  };
}

/** What a newer version has stored and this one does not understand allows nothing here. */
const scopesIn = (text: string | null | undefined): Scope[] =>
  textsIn(text).flatMap((each) => {
    const parsed = parseScope(each);
    return 'scope' in parsed ? [parsed.scope] : [];
  });

function textsIn(text: string | null | undefined): string[] {
  try {
    const list: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(list) ? list.filter((each) => typeof each === 'string') : [];
  } catch {
    return [];
  }
}

const numberOf = (text: string | null | undefined): number | null =>
  text === null || text === undefined ? null : Number(text);
