import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  openTestDatabase,
  silentLog,
  type TestDatabase,
} from '@lockstep/testkit/database/open-test-database';
import { installedClients } from '@lockstep/testkit/servers';
import { systemRuntime } from '../runtime/index.ts';
import { newKeyText, newSecret, type NewKeyText } from './key-text.ts';
import type { ApiKeyStore, NewApiKey } from './port.ts';
import { createApiKeyStore, MAX_VALID_KEYS } from './sql-key-store.ts';

const { ids } = systemRuntime(silentLog);

describe.each(installedClients())('the API keys on %s', (client) => {
  let database: TestDatabase;
  let store: ApiKeyStore;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    store = createApiKeyStore(database);
  });
  afterAll(() => database?.drop());
  beforeEach(() => database.execute('delete from lockstep_api_keys'));

  async function added(changes: Partial<NewApiKey> = {}): Promise<NewKeyText> {
    const key = newKeyText(ids);
    const { id, prefix, hash } = key;
    const isAdded = await store.add({
      ...{ id, prefix, name: 'Größe ‘7’', secretHash: hash, role: null, expiresInMs: null },
      scopes: [{ action: 'write', resource: 'account', prefix: 'eu-1,' }],
      ...changes,
    });
    expect(isAdded).toBe(true);
    return key;
  }
  const age = (id: string, column: string, ms: number): Promise<void> =>
    database.execute(
      `update lockstep_api_keys set ${column} = ${column} - ${ms} where id = '${id}'`,
    );

  it('are stored without their secrets, and listed without their digests (I1)', async () => {
    const key = await added({ role: 'viewer', expiresInMs: 60_000 });
    const { rows } = await database.sql.run({
      pg: 'select * from lockstep_api_keys',
      mysql2: 'select * from lockstep_api_keys',
    });
    expect(JSON.stringify(rows)).not.toContain(key.text.slice(-32));
    const [listed] = await store.list();
    expect(listed).toMatchObject({
      ...{ id: key.id, prefix: key.prefix, name: 'Größe ‘7’', role: 'viewer', state: 'valid' },
      scopes: ['write:account:eu-1,*'],
      ...{ revokedAtMs: null, usedAtMs: null, formerUntilMs: null },
    });
    expect(JSON.stringify(listed)).not.toContain(key.hash);
    expect((listed?.expiresAtMs ?? 0) - (listed?.createdAtMs ?? 0)).toBe(60_000);
    expect(Math.abs((listed?.createdAtMs ?? 0) - Date.now())).toBeLessThan(600_000);
  });

  it('are valid until they expire or are revoked', async () => {
    const [lasting, short, revoked] = [
      await added(),
      await added({ expiresInMs: 60_000, role: 'admin', scopes: [] }),
      await added(),
    ];
    expect(await store.revoke(revoked.id)).toBe(true);
    expect(await store.revoke(revoked.id)).toBe(false);
    expect(await store.revoke('nothing')).toBe(false);
    const valid = new Map((await store.valid()).map((each) => [each.id, each]));
    expect([...valid.keys()].toSorted()).toEqual([lasting.id, short.id].toSorted());
    expect(valid.get(lasting.id)).toMatchObject({
      ...{ leftMs: null, role: null, former: null, secretHash: lasting.hash },
      scopes: [{ action: 'write', resource: 'account', prefix: 'eu-1,' }],
    });
    expect(valid.get(short.id)).toMatchObject({ role: 'admin', scopes: [] });
    expect(valid.get(short.id)?.leftMs).toBeGreaterThan(0);
    expect(valid.get(short.id)?.leftMs).toBeLessThanOrEqual(60_000);
    await age(short.id, 'expires_at_ms', 60_000);
    expect((await store.valid()).map(({ id }) => id)).toEqual([lasting.id]);
    const states = (await store.list()).map(({ id, state }) => [id, state]);
    expect(new Map(states as [string, string][])).toEqual(
      new Map([
        [lasting.id, 'valid'],
        [short.id, 'expired'],
        [revoked.id, 'revoked'],
      ]),
    );
  });

  it('keep the secret before the last rotation for its grace, and no longer than the key itself', async () => {
    const key = await added({ expiresInMs: 30_000 });
    const next = newSecret(key.prefix, ids);
    const change = { secretHash: next.hash, graceMs: 60_000, expiresInMs: null };
    expect(await store.rotate(key.id, change)).toBe(true);
    const [rotated] = await store.valid();
    expect(rotated).toMatchObject({
      ...{ secretHash: next.hash, former: { secretHash: key.hash } },
    });
    expect(rotated?.former?.leftMs).toBeLessThanOrEqual(30_000);
    expect(rotated?.former?.leftMs).toBeGreaterThan(0);
    const last = newSecret(key.prefix, ids);
    const longer = { secretHash: last.hash, graceMs: 0, expiresInMs: 90_000 };
    expect(await store.rotate(key.id, longer)).toBe(true);
    const [again] = await store.valid();
    expect(again?.former?.secretHash).toBe(next.hash);
    expect(again?.former?.leftMs).toBeLessThanOrEqual(0);
    expect(again?.leftMs).toBeGreaterThan(60_000);
    expect((await store.list())[0]?.formerUntilMs).toBeNull();
    await store.revoke(key.id);
    expect(await store.rotate(key.id, longer)).toBe(false);
  });

  it('note their use', async () => {
    const [used, unused] = [await added(), await added()];
    await store.noteUsed([used.id]);
    const noted = new Map((await store.list()).map(({ id, usedAtMs }) => [id, usedAtMs]));
    expect(noted.get(used.id)).toBeGreaterThan(0);
    expect(noted.get(unused.id)).toBeNull();
  });

  it('are forgotten 90 days after their end', async () => {
    const [old, recent, lasting] = [await added(), await added(), await added()];
    await store.revoke(old.id);
    await store.revoke(recent.id);
    await age(old.id, 'revoked_at_ms', 90 * 86_400_000 + 60_000);
    await age(recent.id, 'revoked_at_ms', 89 * 86_400_000);
    const another = await added();
    const left = (await store.list()).map(({ id }) => id);
    expect(left.toSorted()).toEqual([recent.id, lasting.id, another.id].toSorted());
  });

  it('of rows that another program has spoiled do not count', async () => {
    const [whole, spoiled, odd] = [await added(), await added(), await added()];
    await database.execute(
      `update lockstep_api_keys set secret_hash = 'zz' where id = '${spoiled.id}'`,
    );
    await database.execute(
      `update lockstep_api_keys set scopes = '{"write:*":1', role = 'root' where id = '${odd.id}'`,
    );
    const valid = new Map((await store.valid()).map((each) => [each.id, each]));
    expect(valid.has(whole.id)).toBe(true);
    expect(valid.has(spoiled.id)).toBe(false);
    expect(valid.get(odd.id)).toMatchObject({ scopes: [], role: null });
  });

  it('are refused beyond their bound', async () => {
    const row = (index: number): string => `('key_${index}', 'n', 'p${index}', 'x', '[]', 1)`;
    const rows = Array.from({ length: MAX_VALID_KEYS }, (_, index) => row(index)).join(', ');
    await database.execute(
      `insert into lockstep_api_keys (id, name, prefix, secret_hash, scopes, created_at_ms) values ${rows}`,
    );
    const { id, prefix, hash } = newKeyText(ids);
    const key = { id, prefix, name: 'n', secretHash: hash, scopes: [], role: null };
    expect(await store.add({ ...key, expiresInMs: null })).toBe(false);
    expect(await store.list()).toHaveLength(MAX_VALID_KEYS);
  });
});
