import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { launchAs, postgresAccount } from './account.ts';

const PROGRAM = `
  const fs = require('node:fs');
  fs.accessSync(process.argv[1], fs.constants.R_OK);
  console.log(process.getuid());
`;

describe.runIf(process.getuid?.() === 0)('a program that must not run as root', () => {
  it('gets through folders that only root may enter, and is not root', () => {
    const file = makeFile(0o700);
    const account = postgresAccount('/nonexistent');
    const { command, args } = launchAs(account, process.execPath, ['-e', PROGRAM, file], [file]);
    expect(execFileSync(command, args, { encoding: 'utf8' }).trim()).toBe(String(account?.uid));
  });

  it('gets no special right where the folders are open', () => {
    const file = makeFile(0o755);
    const account = { uid: 65_534, gid: 65_534 };
    const launch = launchAs(account, 'some-program', ['argument'], [file]);
    expect(launch).toEqual({ command: 'some-program', args: ['argument'], ...account });
  });

  it('runs as the owner of a data folder that is there already', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-owner-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    execFileSync('chown', ['12345:12345', folder]);
    expect(postgresAccount(folder)).toEqual({ uid: 12_345, gid: 12_345 });
  });
});

function makeFile(folderMode: number): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'lockstep-closed-')));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, folderMode);
  const file = join(folder, 'file');
  writeFileSync(file, 'text', { mode: 0o644 });
  return file;
}
