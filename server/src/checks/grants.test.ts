import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { resource } from '@lockstep/testkit/doubles/resource';
import { grantsFor } from './grants.ts';

it('the page for operators shows what lockstep grants prints', () => {
  const page = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const { run, cache, locks } = grantsFor({
    ...{ client: 'pg', account: 'lockstep_app', database: 'shop', schema: 'public' },
    config: { changeLog: CHANGE_LOG_OFF },
    resources: [resource()],
    lookedAt: [],
    publication: null,
  });
  for (const line of [...run, ...cache, ...locks]) expect(page).toContain(line);
});

const CHANGE_LOG_OFF = {
  mode: 'off',
  connection: null,
  slot: null,
  serverId: null,
  behindAfterMs: 5_000,
  publication: 'lockstep',
} as const;
