import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from './index.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-tls-'));
  await writeFile(join(folder, 'plain.txt'), 'nothing');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function faultsOf(raw: unknown): Promise<string[]> {
  const error: unknown = await loadConfig({ raw, env: {}, cwd: folder }).catch(
    (cause: unknown) => cause,
  );
  if (!(error instanceof ConfigError)) throw new Error('expected a ConfigError');
  return error.message.split('\n');
}

/** If they are named explicitly, embedded servers are allowed beside an external database. */
const ALONE = { cache: { mode: 'embedded' }, locks: { mode: 'embedded' } };

describe('wrong settings of TLS', () => {
  const cases: [string, unknown, RegExp[]][] = [
    [
      'a mode of TLS that protects from nobody',
      { database: { connection: 'postgres://h/d?sslmode=prefer' }, ...ALONE },
      [
        /^database\.connection: has an sslmode that is not supported .*; allowed: disable, require, /,
      ],
    ],
    [
      'TLS both in the URL and beside it',
      {
        database: { connection: 'postgres://h/d?sslmode=require', tls: { mode: 'require' } },
        ...ALONE,
      },
      [/^database\.tls: is set, and the URL at database\.connection has parameters of TLS as well/],
    ],
    [
      'TLS for a URL without it',
      { cache: { url: 'redis://h', tls: {} } },
      [/^cache\.tls: says verify-full, and the URL says otherwise; allowed: .* rediss:\/\/$/],
    ],
    [
      'a client’s certificate without its key, in a file that is not there',
      { locks: { nodes: ['rediss://h'], tls: { cert: 'no.pem' } } },
      [
        /^locks\.tls: has a client’s certificate without its key; allowed: both$/,
        /^locks\.tls\.cert: names a file that cannot be read \(ENOENT\); allowed: the path of/,
      ],
    ],
    [
      'TLS to embedded servers',
      { cache: { tls: {} } },
      [/^cache\.tls: goes with cache\.url only; allowed: url beside it, or no tls$/],
    ],
    [
      'a file that holds no certificate',
      { cache: { url: 'rediss://h', tls: { ca: 'plain.txt' } } },
      [/^cache\.tls\.ca: names a file without PEM; allowed: a file in the form of PEM$/],
    ],
  ];
  it.each(cases)('%s', async (_, raw, expected) => {
    const faults = await faultsOf(raw);
    expect(faults).toHaveLength(expected.length);
    for (const [index, line] of expected.entries()) expect(faults[index]).toMatch(line);
  });
});
