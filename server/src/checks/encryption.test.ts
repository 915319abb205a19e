import { expect, it } from 'vitest';
import { loadConfig } from '../config/index.ts';
import { encryptionWarnings } from './encryption.ts';

const warned = async (mode: string): Promise<string[]> => {
  const sql = (host: string): string => `postgres://u:p@${host}/d?sslmode=${mode}`;
  const redis = (host: string): string => `rediss://${host}?sslmode=${mode}`;
  const { config } = await loadConfig({
    raw: {
      database: { connection: sql('a'), replicas: [sql('b'), 'postgres://u:p@c/d'] },
      changeLog: { mode: 'on', connection: sql('d') },
      cache: { url: redis('e') },
      locks: { nodes: ['redis://f', redis('g'), redis('h')] },
      resources: {},
    },
    env: {},
    cwd: '/',
  });
  return encryptionWarnings(config).map(({ path }) => path);
};

it('every server whose certificate is not checked is named, and no other one', async () => {
  expect(await warned('require')).toEqual([
    ...['database.connection', 'database.replicas.0', 'changeLog.connection', 'cache.url'],
    ...['locks.nodes.1', 'locks.nodes.2'],
  ]);
  expect(await warned('verify-ca')).toEqual([]);
});
