import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { column, resource } from '@lockstep/testkit/doubles/resource';
import { grantsFor } from './grants.ts';
import { DIALECTS } from '../dialects/index.ts';

it('the page for operators shows what lockstep grants prints', () => {
  const page = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const { run, invalidate, cache, locks } = grantsFor({
    ...{ dialect: DIALECTS.pg, account: 'lockstep_app', database: 'shop', schema: 'public' },
    config: {
      changeLog: CHANGE_LOG_OFF,
      database: { capture: 'off' },
      cache: { mode: 'single', waitReplicas: 0 },
    },
    resources: [resource()],
    lookedAt: [],
    publication: null,
  });
  for (const line of [...run, ...invalidate, ...cache, ...locks]) expect(page).toContain(line);
});

it('lets the account draw the numbers of new rows', () => {
  const id = column('id', 'bigint', { defaultSql: `nextval('shop."It''s_id_seq"'::regclass)` });
  const { run } = grantsFor({
    ...{ dialect: DIALECTS.pg, account: 'lockstep_app', database: 'shop', schema: 'public' },
    config: {
      changeLog: CHANGE_LOG_OFF,
      database: { capture: 'off' },
      cache: { mode: 'single', waitReplicas: 0 },
    },
    resources: [resource({ keyColumns: [id], columns: [id, column('owner', 'text')] })],
    lookedAt: [],
    publication: null,
  });
  expect(run).toContain(`grant usage on sequence shop."It's_id_seq" to "lockstep_app";`);
});

it('prints what installing capture triggers needs, where they are configured', () => {
  const grants = (client: 'pg' | 'mysql2', capture: 'triggers' | 'off'): string[] =>
    grantsFor({
      ...{ dialect: DIALECTS[client], account: 'app', database: 'shop', schema: 'public' },
      config: {
        changeLog: CHANGE_LOG_OFF,
        database: { capture },
        cache: { mode: 'single', waitReplicas: 0 },
      },
      resources: [resource()],
      lookedAt: [],
      publication: null,
    }).capture;
  expect(grants('pg', 'off')).toEqual([]);
  expect(grants('pg', 'triggers')).toEqual([
    'grant create on schema "public" to "app";',
    'grant trigger on "accounts" to "app";',
  ]);
  expect(grants('mysql2', 'triggers')).toEqual(["grant trigger on `accounts` to 'app'@'%';"]);
});

const CHANGE_LOG_OFF = {
  mode: 'off',
  connection: null,
  slot: null,
  serverId: null,
  behindAfterMs: 5_000,
  publication: 'lockstep',
} as const;
