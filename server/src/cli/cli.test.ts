import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ADMIN_TOKEN,
  type ApiServer,
  SERVICE_TOKEN,
  startApi,
} from '@lockstep/testkit/doubles/api-server';
import { stubOps } from '@lockstep/testkit/doubles/stub-ops';
import { writeRuntimeFile } from '../embedded/index.ts';
import { run } from '@lockstep/testkit/doubles/run-cli';

let folder = '';
let api: ApiServer;
const asked: unknown[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-cli-'));
  const stub = stubOps();
  api = await startApi({
    ops: {
      ...stubOps(asked),
      inspectKey: async (key) => ({
        ...(await stub.inspectKey(key)),
        cacheKey: key.cacheKey,
        policy: 'strict',
        database: { version: 3, fence: 9, row: { id: 1 } },
        cache: {
          state: 'value',
          version: 2,
          fence: 9,
          ageMs: 5,
          ttlMs: 500,
          value: { id: 1 },
          bytes: 10,
        },
        lock: null,
        home: { instance: 'two', url: 'http://two.test:7400', isSelf: false },
        agrees: false,
        events: [{ atMs: 0, instance: 'i', type: 'write', detail: 'version 3' }],
      }),
    },
  });
  await writeRuntimeFile(folder, {
    url: api.url,
    pid: process.pid,
    databaseUrl: '',
    cacheUrl: '',
    lockUrls: [],
    adminToken: ADMIN_TOKEN,
    serviceToken: SERVICE_TOKEN,
    processes: [],
  });
});
afterAll(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

const here = (...argv: string[]) => run([...argv, '--data-dir', folder]);

describe('start', () => {
  it('runs the demo unless it is told otherwise', async () => {
    expect((await run(['start'], { cwd: '/srv' })).started).toEqual([
      { dataDir: '/srv/.lockstep', json: false, demo: true, workers: 1 },
    ]);
    expect((await run(['start', '--no-demo', '--port', '0', '--json'])).started).toMatchObject([
      { demo: false, port: 0, json: true },
    ]);
    expect(
      (await run(['start', '--config', 'x.yaml', '--data-dir', 'd'], { cwd: '/srv' })).started,
    ).toEqual([
      { configFile: '/srv/x.yaml', dataDir: '/srv/d', json: false, demo: false, workers: 1 },
    ]);
  });

  it('takes file and folder from the environment too', async () => {
    const env = { LOCKSTEP_CONFIG: '/etc/lockstep.yaml', LOCKSTEP_DATA_DIR: '/var/lockstep' };
    expect((await run(['start'], { env })).started).toMatchObject([
      { configFile: '/etc/lockstep.yaml', dataDir: '/var/lockstep' },
    ]);
  });
});

describe('the command line', () => {
  it.each([
    [['explode']],
    [[]],
    [['start', '--port', 'x']],
    [['start', '--port', '65536']],
    [['audit']],
    [['audit', 'a', '--sample', '0']],
    [['inspect', 'account']],
    [['start', '--colour']],
    [['init', 'lockstep.yaml']],
    [['scan']],
    [['scan', 'account', '--all']],
    [['scan', 'account', '--sample', '0']],
    [['keys', 'create', 'me']],
    [['keys']],
    [['keys', 'create', '--name', 'a']],
    [['keys', 'create', '--name', ' ', '--role', 'viewer']],
    [['keys', 'create', '--name', 'a', '--role', 'root']],
    [['keys', 'create', '--name', 'a', '--scope', 'reed:account']],
    [['keys', 'create', '--name', 'a', '--scope', Array(101).fill('read:a').join(',')]],
    [['keys', 'create', '--name', 'a', '--scope', 'read:account:42']],
    [['keys', 'create', '--name', 'a', '--role', 'admin', '--expires', 'soon']],
    [['keys', 'create', '--name', 'a', '--role', 'admin', '--expires', '0s']],
    [['keys', 'rotate']],
    [['keys', 'rotate', 'x', '--grace', '91d']],
    [['keys', 'revoke']],
    [['capture']],
    [['capture', 'install', '--resource']],
  ])('%j is a wrong use: exit 2 and no stack', async (argv) => {
    const { code, err } = await run(argv);
    expect(code).toBe(2);
    expect(err.join('\n')).not.toBe('');
    expect(err.join('\n')).not.toMatch(/\n\s+at /);
  });

  it('tells its version and its commands', async () => {
    expect(await run(['--version'])).toMatchObject({ code: 0, out: ['1.2.3'] });
    const help = await run(['--help']);
    expect(help.code).toBe(0);
    const names = [
      'start',
      'init',
      'doctor',
      'scan',
      'migrate',
      'check',
      'audit',
      'inspect',
      'sweep',
    ];
    for (const name of [...names, 'capture', 'keys', 'demo'])
      expect(help.out.join()).toContain(name);
  });

  it('refuses capture triggers for the embedded database', async () => {
    for (const command of ['install', 'status', 'uninstall']) {
      const { code, err } = await run(['capture', command, '--data-dir', '/nowhere']);
      expect([code, err]).toEqual([
        1,
        [expect.stringMatching(/^lockstep: triggers are for an external/)],
      ]);
    }
  });

  it('says in one line what cannot be done', async () => {
    for (const argv of [
      ['audit', 'account'],
      ['inspect', 'account', '1'],
      ['demo', 'drift'],
      ['migrate', 'status'],
      ['migrate', 'down', '--yes'],
      ['sweep'],
      ['scan', 'account'],
    ]) {
      const { code, err } = await run([...argv, '--data-dir', '/nowhere']);
      expect([code, err.length]).toEqual([1, 1]);
      expect(err[0]).toMatch(/^lockstep: .*\/nowhere/);
    }
  });
});

describe('init', () => {
  it('needs a database, and says where it looks for one', async () => {
    const { code, out, err } = await run(['init'], { cwd: folder });
    expect({ code, out }).toEqual({ code: 1, out: [] });
    expect(err).toEqual([
      'lockstep: no database is named; give --database URL, or set LOCKSTEP_DATABASE_CONNECTION',
    ]);
  });

  it('names a URL that is none, and one that no server answers, without its password', async () => {
    const wrong = await run(['init', '--database', 'oracle://u:hunter2@host/x'], { cwd: folder });
    expect(wrong.code).toBe(1);
    expect(wrong.err.join()).toMatch(/^database\.connection: /);
    const url = 'postgres://u:hunter2@127.0.0.1:1/x';
    const away = await run(['init', '--database', url], { cwd: folder });
    expect(away.code).toBe(1);
    expect([...wrong.err, ...away.err].join()).not.toContain('hunter2');
  });
});

describe('doctor', () => {
  it('prints a wrong configuration as findings', async () => {
    const file = join(folder, 'wrong.yaml');
    await writeFile(file, 'listen: { port: 70000 }\ncolour: blue\n');
    const { code, out } = await run(['doctor', '--config', file, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out[0] ?? '')).toMatchObject({
      ok: false,
      findings: [
        { level: 'fault', area: 'colour', message: 'is not known' },
        { level: 'fault', area: 'listen.port', mend: 'a whole number from 0 to 65535' },
      ],
    });
  });
});

describe('commands on a running instance', () => {
  it('sweep removes the entries of every resource, or of one', async () => {
    const json = await here('sweep', '--json');
    const { resources, ...counts } = JSON.parse(json.out[0] ?? '') as { resources: string[] };
    expect([json.code, counts]).toEqual([0, { removed: 3, intents: 1 }]);
    expect(asked.at(-1)).toEqual({ sweep: resources });
    const one = await here('sweep', '--resource', 'account');
    expect(one.out).toEqual(['account: 3 removed, 1 write intents left to recovery']);
    const none = await here('sweep', '--resource', 'nothing');
    expect([none.code, none.err.length]).toEqual([1, 1]);
  });

  it('audit prints the report', async () => {
    const json = await here('audit', 'account', '--sample', '10', '--json');
    expect(json.code).toBe(0);
    expect(JSON.parse(json.out[0] ?? '')).toEqual({
      resource: 'account',
      sampled: 10,
      drift: { stale: 1, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 0 },
      repaired: 1,
      failed: 0,
    });
    expect(asked.at(-1)).toMatchObject({ sample: 10, repair: 'report' });
    const words = await here('audit', 'account', '--repair');
    expect(words.out).toEqual(['account: 10 sampled, drift: 1 stale, 1 repaired, 0 failed']);
    expect(asked.at(-1)).toMatchObject({ repair: 'refresh' });
  });

  it('audit of what is not there fails in one line', async () => {
    const { code, out, err } = await here('audit', 'nothing', '--json');
    expect([code, out]).toEqual([1, []]);
    expect(err).toEqual(['lockstep: UNKNOWN_RESOURCE: No resource of this name is configured.']);
  });

  it('inspect shows both sides of a key', async () => {
    const json = await here('inspect', 'note', 'a/b c', '--json');
    expect(JSON.parse(json.out[0] ?? '')).toMatchObject({
      resource: 'note',
      key: 'a/b c',
      agrees: false,
    });
    const { out } = await here('inspect', 'account', '1');
    expect(out).toContain('database  version 3, fence 9: {"id":1}');
    expect(out).toContain('cache     value, version 2, 500 ms left: {"id":1}');
    expect(out).toContain('home      two at http://two.test:7400');
    expect(out).toContain('agree     no');
  });

  it('demo drift makes drift in the first cached resource', async () => {
    const { code, out } = await here('demo', 'drift', '--count', '2');
    expect([code, out]).toEqual([0, ['account account: cache', 'account account: cache']]);
  });
});

describe('check', () => {
  it('prints one line for each fault of the configuration', async () => {
    const file = join(folder, 'wrong.yaml');
    await writeFile(file, 'listen: { port: x }\nlock: {}\n');
    const { code, out } = await run(['check', '--config', file]);
    expect(code).toBe(1);
    expect(out).toEqual([
      expect.stringMatching(/^lock: is not known/),
      expect.stringMatching(/^listen\.port: is a wrong text; /),
    ]);
    const json = await run(['check', '--config', file, '--json']);
    expect(JSON.parse(json.out[0] ?? '')).toMatchObject({
      ok: false,
      faults: [{ path: 'lock' }, { path: 'listen.port' }],
    });
  });

  it('finds no fault in embedded servers that do not run yet', async () => {
    const { code, out } = await run(['check', '--data-dir', '/nowhere']);
    expect(code).toBe(0);
    expect(out.every((line) => line.startsWith('ok: '))).toBe(true);
  });

  it('names servers that do not answer', async () => {
    const file = join(folder, 'away.yaml');
    await writeFile(
      file,
      'cache: { url: "redis://:hunter2@127.0.0.1:1" }\nlocks: { nodes: ["redis://127.0.0.1:1"] }\n',
    );
    const { code, out } = await run(['check', '--config', file]);
    expect(code).toBe(1);
    expect(out).toEqual([
      expect.stringMatching(/^cache\.url: does not answer: .*ECONNREFUSED.*; allowed/),
      expect.stringMatching(/^locks\.nodes\.0: does not answer: .*ECONNREFUSED/),
    ]);
    expect(out.join()).not.toContain('hunter2');
  });
});
