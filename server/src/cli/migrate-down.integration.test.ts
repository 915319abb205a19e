import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { createMembershipStore } from '../routing/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import { run, type Ran } from '@lockstep/testkit/doubles/run-cli';

describe.each(installedClients())('lockstep migrate down, with %s', (client) => {
  let folder = '';
  let database: TestDatabase;
  const applied = async (): Promise<number> => (await database.migrations.status()).applied.length;
  const down = (
    argv: string[],
    ask: ((question: string) => Promise<string>) | null = null,
  ): Promise<Ran> =>
    run(['migrate', 'down', '--config', join(folder, 'c.json'), '--data-dir', folder, ...argv], {
      ask,
    });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockstep-down-'));
    database = await openTestDatabase(client);
    const config = {
      database: { client, connection: database.url },
      cache: { url: 'redis://127.0.0.1:1' },
      locks: { nodes: ['redis://127.0.0.1:1'] },
      resources: {},
    };
    await writeFile(join(folder, 'c.json'), JSON.stringify(config));
  });
  afterAll(async () => {
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await database.migrations.up();
  });

  it('tells what is lost, asks, and takes nothing back unless the answer is yes', async () => {
    const all = await applied();
    const questions: string[] = [];
    const answering = (answer: string) => (question: string) => {
      questions.push(question);
      return Promise.resolve(answer);
    };
    for (const answer of ['', 'y', 'no']) {
      const refused = await down([], answering(answer));
      expect([refused.code, refused.err]).toEqual([1, ['lockstep: nothing was taken back']]);
    }
    expect(await applied()).toBe(all);
    expect(questions[0]).toMatch(/^\d{4}_\w+ is taken back\. Lost: \w.*\nType yes/);
    expect((await down([], answering(' YES \n'))).code).toBe(0);
    expect(await applied()).toBe(all - 1);
  });

  it('wants --yes where there is no terminal', async () => {
    const all = await applied();
    const refused = await down([]);
    expect([refused.code, refused.err.length]).toEqual([1, 1]);
    expect(refused.err[0]).toMatch(/Lost: .*--yes/);
    expect(await applied()).toBe(all);
    const done = await down(['--yes', '--json']);
    expect(JSON.parse(done.out[0] ?? '')).toMatchObject({ reverted: [expect.any(String)] });
    expect(await applied()).toBe(all - 1);
  });

  it('refuses while coordinators run, naming them, unless it is told otherwise', async () => {
    const all = await applied();
    const members = createMembershipStore(database);
    const live = { instance: 'one', url: 'http://one.test:7400', isLeaving: false };
    await members.beat({ ...live, expiryMs: 60_000 });
    await members.beat({ ...live, instance: 'dead', url: 'http://dead.test', expiryMs: 0 });
    const refused = await down(['--yes']);
    expect([refused.code, refused.err.length]).toEqual([1, 1]);
    expect(refused.err[0]).toContain('one (http://one.test:7400)');
    expect(refused.err[0]).not.toContain('dead');
    expect(await applied()).toBe(all);
    expect((await down(['--yes', '--while-running'])).code).toBe(0);
    expect(await applied()).toBe(all - 1);
    await members.remove('one');
  });

  it('takes all of them back one by one, and then has nothing to do', async () => {
    for (let left = await applied(); left > 0; left -= 1) {
      expect((await down(['--yes'])).code).toBe(0);
      expect(await applied()).toBe(left - 1);
    }
    expect((await down(['--yes'])).out).toEqual(['nothing is applied']);
  });
});
