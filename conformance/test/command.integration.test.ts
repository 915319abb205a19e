import { execFile } from 'node:child_process';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { repositoryPath } from '@lockstep/testkit/repository';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { programCommand } from '../program-command.ts';
import { SHOP_RESOURCES, SHOP_SQL } from '../shop.ts';

let cache: TestRedis;
let instance: Instance;
beforeAll(async () => {
  cache = await startRedis({ password: 'secret' });
  instance = await startInstance({
    config: {
      database: { mode: 'embedded', initSql: './shop.sql' },
      cache: { url: cache.url },
      locks: { mode: 'embedded', ttl: '2s', waitTimeout: '20s' },
      resources: SHOP_RESOURCES,
    },
    files: { 'shop.sql': SHOP_SQL },
  });
});
afterAll(async () => {
  await instance.dispose();
  await cache.stop();
});

const FAULTY = repositoryPath('conformance/readers/faulty.program.ts');

function run(
  ...args: readonly string[]
): Promise<{ code: number; output: string; errors: string }> {
  const program = repositoryPath('conformance/main.ts');
  const words = ['--import', import.meta.resolve('tsx'), program, ...args];
  return new Promise((resolve) => {
    const options = {
      env: { ...process.env, TSX_TSCONFIG_PATH: repositoryPath('conformance/tsconfig.run.json') },
    };
    execFile(process.execPath, words, options, (error, output, errors) => {
      resolve({ code: Number(error?.code ?? 0), output, errors });
    });
  });
}

const places = (): string[] => [
  ...['--url', instance.runtime.url, '--token', instance.runtime.serviceToken],
  ...['--redis', cache.url],
];

test('judges a reader on the servers that it is given, also where the cache has a password', async () => {
  const { code, output } = await run(...places(), '--reader', programCommand(FAULTY));
  expect(output).toContain('14 passed, 0 failed, 0 skipped, 0 not judged');
  expect(code).toBe(0);
});

test('fails where a rule is broken, and prints what was seen', async () => {
  const reader = programCommand(FAULTY, 'does not look at owners');
  const { code, output } = await run(...places(), '--reader', reader);
  expect(output).toMatch(/^RP5 +failed .*\n +a value of another cluster: answered /m);
  expect(code).toBe(1);
});

test('refuses a Redis that is not the coordinator’s', async () => {
  const { url, lockUrls, serviceToken } = instance.runtime;
  const redis = lockUrls[0] ?? '';
  const { code, errors } = await run('--url', url, '--token', serviceToken, '--redis', redis);
  expect(errors).toContain('The Redis is not the one that the coordinator uses');
  expect(code).toBe(1);
});
