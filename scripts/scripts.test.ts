import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

/** A working copy with the real scripts, and stand-ins for everything that they call. */
let root: string;
let bin: string;
const children: ReturnType<typeof spawn>[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lockstep-scripts-'));
  bin = join(root, 'bin');
  cpSync(import.meta.dirname, join(root, 'scripts'), { recursive: true });
  put('package.json', JSON.stringify({ type: 'module', devDependencies: { pnpm: '10.0.0' } }));
  put('pnpm-lock.yaml', 'lockfileVersion: 9');
  put('bin/npx', '#!/bin/sh\necho "$@" >> installs; /bin/mkdir -p node_modules/.cache\n');
  put('bin/redis-server', '#!/bin/sh\n');
  for (const part of ['server', 'dashboard']) put(`${part}/src/main.ts`, `// ${part}`);
  put('server/dist/main.js', '');
  put(
    'node_modules/vite/bin/vite.js',
    `import { appendFileSync, mkdirSync, writeFileSync, readFileSync } from 'node:fs';
     appendFileSync('../builds', process.cwd() + '\\n');
     mkdirSync('dist.next', { recursive: true });
     const source = readFileSync('src/main.ts', 'utf8');
     if (source.includes('HANG')) await new Promise(() => setTimeout(() => {}, 60_000));
     if (source.includes('broken')) throw new Error('syntax');
     writeFileSync('dist.next/main.js', 'console.log(JSON.stringify(process.argv.slice(2)))');`,
  );
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await vi.waitFor(() => rmSync(root, { recursive: true, force: true }));
});

describe('set-up', () => {
  it('installs the packages once, and again when the lock file has changed', async () => {
    expect(await script('setup.mjs')).toMatchObject({ code: 0, out: '' });
    expect(await script('setup.mjs')).toEqual({ code: 0, out: '', err: '' });
    expect(lines('installs')).toEqual([
      expect.stringContaining('pnpm@10.0.0 install --frozen-lockfile'),
    ]);
    put('pnpm-lock.yaml', 'lockfileVersion: 10');
    await script('setup.mjs');
    expect(lines('installs')).toHaveLength(2);
  });

  it('installs once when several start at the same moment', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => script('setup.mjs')));
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(lines('installs')).toHaveLength(1);
  });

  it('repeats an installation that failed', async () => {
    put('bin/npx', '#!/bin/sh\necho no network >&2; exit 1\n');
    const failed = await script('setup.mjs');
    expect(failed.code).toBe(1);
    expect(failed.err).toContain('no network');
    put('bin/npx', '#!/bin/sh\necho "$@" >> installs\n');
    expect(await script('setup.mjs')).toMatchObject({ code: 0 });
    expect(lines('installs')).toHaveLength(1);
  });
});

describe('system packages', () => {
  // The real folders of this machine have what is looked for; the stand-ins' folder decides instead.
  beforeEach(() => {
    rmSync(join(bin, 'redis-server'));
    const path = join(root, 'scripts/process.mjs');
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(/const usual = \[.*\];/, 'const usual = [];'),
    );
  });

  it('are installed without starting a service, after fetching empty package lists', async () => {
    put(
      'bin/apt-get',
      `#!/bin/sh
       echo "$DEBIAN_FRONTEND $RUNLEVEL $@" >> apt
       case "$*" in *update) /bin/touch lists ;; *install*) [ -f lists ] || exit 100; /bin/cp bin/npx bin/redis-server ;; esac`,
    );
    const path = join(root, 'scripts/system-packages.mjs');
    writeFileSync(path, readFileSync(path, 'utf8').replace('process.getuid?.()', '0'));
    expect(await script('setup.mjs', [], { PATH: `${bin}:/bin-of-nothing` })).toMatchObject({
      code: 0,
    });
    expect(lines('apt')).toEqual([
      expect.stringMatching(/^noninteractive 1 .*install -y --no-install-recommends redis-server$/),
      expect.stringMatching(/update$/),
      expect.stringMatching(/redis-server$/),
    ]);
  });

  it('are named in one line, with the command to type, if a password is needed', async () => {
    put('bin/apt-get', '#!/bin/sh\nexit 1\n');
    put('bin/sudo', '#!/bin/sh\nexit 1\n');
    const path = join(root, 'scripts/system-packages.mjs');
    writeFileSync(path, readFileSync(path, 'utf8').replace('process.getuid?.()', '1000'));
    const { code, err } = await script('setup.mjs', [], { PATH: `${bin}:/bin-of-nothing` });
    expect(code).toBe(1);
    expect(err.trim().split('\n').at(-1)).toBe(
      'lockstep: redis-server must be installed first; type: sudo apt-get install -y --no-install-recommends redis-server',
    );
  });
});

describe('the build', () => {
  it('builds both parts once, then only the part whose sources changed', async () => {
    expect((await script('build.mjs')).code).toBe(0);
    expect(lines('builds')).toHaveLength(2);
    expect(await script('build.mjs')).toEqual({ code: 0, out: '', err: '' });
    put('server/src/main.ts', '// changed');
    put('dashboard/src/main.test.ts', '// tests are not part of what is built');
    await script('build.mjs');
    expect(lines('builds')).toHaveLength(3);
    expect(lines('builds').at(-1)).toMatch(/server$/);
  });

  it('keeps the old result if it fails, and runs again the next time', async () => {
    await script('build.mjs');
    put('server/src/main.ts', 'broken');
    const { code, err } = await script('build.mjs');
    expect(code).toBe(1);
    expect(err).toContain('the server could not be built');
    expect(existsSync(join(root, 'server/dist/main.js'))).toBe(true);
    expect((await script('build.mjs')).code).toBe(1);
  });

  it('is repeated if the process that built was killed', async () => {
    put('server/src/main.ts', 'HANG');
    const killed = spawnScript('build.mjs');
    await vi.waitFor(() => expect(lines('builds').length).toBe(2), { timeout: 10_000 });
    killed.kill('SIGKILL');
    put('server/src/main.ts', '// fine');
    expect((await script('build.mjs')).code).toBe(0);
    expect(await script('build.mjs')).toEqual({ code: 0, out: '', err: '' });
  });
});

describe('the command line', () => {
  it('prints nothing of its own on stdout', async () => {
    const { code, out } = await script('lockstep.mjs', ['check', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(['check', '--json']);
  });

  it('resolves paths from the folder in which the user typed them', async () => {
    const args = ['--config', 'a.yaml', '--data-dir=../data', '--port', '0'];
    const { out } = await script('start.mjs', args, { INIT_CWD: '/somewhere/else' });
    expect(JSON.parse(out)).toEqual([
      ...[
        'start',
        '--config',
        '/somewhere/else/a.yaml',
        '--data-dir=/somewhere/data',
        '--port',
        '0',
      ],
    ]);
  });
});

describe('all tests', () => {
  const report = JSON.stringify({
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 1,
    numTodoTests: 0,
    testResults: [],
  });
  /** @param then what each runner does when it has written its report */
  const runners = (then: string): void =>
    put(
      'node_modules/vitest/vitest.mjs',
      `import { appendFileSync, writeFileSync } from 'node:fs';
       const [, file] = process.argv.find((arg) => arg.startsWith('--outputFile.json=')).split('=');
       appendFileSync('runs', 'run\\n');
       ${then}`,
    );
  const lastLine = (out: string): string | undefined => out.trim().split('\n').at(-1);

  beforeEach(() => {
    put(
      'scripts/system-packages.mjs',
      `export const installFakeTime = async () => {};
       export const installRequirements = installFakeTime;
       export const missingRequirements = () => [];`,
    );
  });

  it('are counted in the last line', async () => {
    runners(`writeFileSync(file, ${JSON.stringify(report)});`);
    const { code, out } = await script('test.mjs');
    expect(code).toBe(0);
    expect(lastLine(out)).toBe('9 passed, 0 failed, 3 skipped');
  });

  it('do not end with “0 failed” if a runner is killed, and the other runners still run', async () => {
    runners(
      `if (file.endsWith('integration')) process.kill(process.pid, 'SIGKILL');
       else writeFileSync(file, ${JSON.stringify(report)});`,
    );
    const { code, out } = await script('test.mjs');
    expect(code).toBe(1);
    expect(out).toMatch(/Failed:\n {2}integration: ended without a report/);
    expect(lastLine(out)).toBe('6 passed, 1 failed, 2 skipped');
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'end with their count after %s, and start nothing more',
    async (signal) => {
      runners(`setTimeout(() => {}, 60_000);`);
      const child = spawnScript('test.mjs');
      const closed = new Promise((resolve) => child.once('close', resolve));
      const printed = text(child.stdout);
      await vi.waitFor(() => expect(lines('runs')).toHaveLength(1), { timeout: 20_000 });
      child.kill(signal);
      const out = await printed;
      expect(await closed).toBe(1);
      expect(out).toContain(`interrupted by ${signal}`);
      expect(lastLine(out)).toBe('0 passed, 2 failed, 0 skipped');
      expect(lines('runs')).toHaveLength(1);
    },
  );
});

function put(path: string, content: string): void {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content);
  if (path.startsWith('bin/')) chmodSync(full, 0o755);
}

function lines(path: string): string[] {
  const full = join(root, path);
  return existsSync(full) ? readFileSync(full, 'utf8').trim().split('\n') : [];
}

function spawnScript(name: string, args: string[] = [], env: Record<string, string> = {}) {
  const path = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
  const { INIT_CWD: _outer, ...inherited } = process.env;
  const child = spawn(process.execPath, [join(root, 'scripts', name), ...args], {
    cwd: root,
    env: { ...inherited, PATH: path, TMPDIR: join(root, 'bin'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

async function script(
  name: string,
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawnScript(name, args, env);
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await closed, out, err };
}
