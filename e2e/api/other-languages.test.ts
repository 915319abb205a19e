/** The clients of `docs/guides/use-from-other-languages.md`: each walks over a row of one instance. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { repositoryPath } from '@lockstep/testkit/repository';
import { startLosingProxy } from '../support/losing-proxy.ts';
import { useInstance } from '../support/shared-instance.ts';

interface Language {
  folder: string;
  command: string;
  args: string[];
  /** How it is asked for its version, and the least one. */
  version: string[];
  least: [major: number, minor: number];
}

const LANGUAGES: Language[] = [
  {
    ...{ folder: 'python-client', command: 'python3', args: ['walk.py'] },
    ...{ version: ['--version'], least: [3, 8] },
  },
  {
    ...{ folder: 'java-client', command: 'java', args: ['Walk.java'] },
    ...{ version: ['--version'], least: [17, 0] },
  },
  {
    ...{ folder: 'go-client', command: 'go', args: ['run', './walk'] },
    ...{ version: ['version'], least: [1, 19] },
  },
];

const WALK = `\
put: applied, version 1, cache fresh
patch: version 2, balance 15
read: version 2, balance 15, etag "2"
If-Match "1": VERSION_MISMATCH, not_applied, etag "2"
the same write twice: versions 3 and 3, balance 10
invalidation: cache invalidated
read: version 3 from primary
guard: held at version 3
guard: rolled back
delete: version 4
read: no such row
`;

function isInstalled({ command, version, least: [leastMajor, leastMinor] }: Language): boolean {
  const { stdout } = spawnSync(command, version, { encoding: 'utf8' });
  const [, major = 0, minor = 0] = (/(\d+)(?:\.(\d+))?/.exec(stdout ?? '') ?? []).map(Number);
  return major > leastMajor || (major === leastMajor && (minor || 0) >= leastMinor);
}

async function walk({ folder, command, args }: Language, url: string, token: string) {
  const child = spawn(command, [...args, url, token], {
    cwd: repositoryPath(`examples/${folder}`),
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', GOTOOLCHAIN: 'local' },
  });
  const [stdout, stderr] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: child.exitCode, stdout, stderr };
}

const fileOf = (name: string): string =>
  readFileSync(repositoryPath(`examples/accounts/${name}`), 'utf8');

describe('clients in other languages', () => {
  const bed = useInstance(() => {
    const config = JSON.parse(fileOf('lockstep.json')) as { locks: object };
    // A busy machine is slow.
    const locks = { ...config.locks, waitTimeout: '20s' };
    return { config: { ...config, locks }, files: { 'accounts.sql': fileOf('accounts.sql') } };
  });

  for (const language of LANGUAGES) {
    const { folder, command, least } = language;
    const isThere = isInstalled(language);
    if (!isThere)
      process.stderr.write(
        `\nSKIPPED: ${command} ${least.join('.')} or newer is not installed; examples/${folder} does not walk\n\n`,
      );

    test.skipIf(!isThere)(`${folder} walks, and each step ends as it should`, async () => {
      const { url, serviceToken } = bed.instance.runtime;
      const walked = await walk(language, url, serviceToken);
      expect(walked).toEqual({ code: 0, stdout: WALK, stderr: '' });
    });

    test.skipIf(!isThere)(
      `${folder} ends in the same way while answers are lost: what is repeated is applied once`,
      async () => {
        const { url, serviceToken } = bed.instance.runtime;
        const proxy = await startLosingProxy(url);
        try {
          const walked = await walk(language, proxy.url, serviceToken);
          expect(walked).toEqual({ code: 0, stdout: WALK, stderr: '' });
          // put, patch, read, the write that is sent twice, invalidation, rollback, delete
          expect(proxy.lost()).toBe(7);
        } finally {
          await proxy.close();
        }
      },
    );
  }
});
