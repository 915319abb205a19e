import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { buildProgram, type TestProgram } from '@lockstep/testkit/processes/program';
import { repositoryPath } from '@lockstep/testkit/repository';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Judgement } from '../findings.ts';
import { judgeReader } from '../kit.ts';
import { programCommand } from '../program-command.ts';
import { FAULT_NAMES, FAULTS } from '../readers/faults.ts';
import { Servers } from '../servers.ts';

const CLIENT = repositoryPath('conformance/readers/client.program.ts');
const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython)
  process.stderr.write(
    'SKIPPED: python3 is not installed; examples/python-reader is not judged.\n',
  );

let servers: Servers;
let small: TestProgram;
beforeAll(async () => {
  await promisify(execFile)(process.execPath, [repositoryPath('scripts/build.mjs'), '--client']);
  small = await buildProgram(repositoryPath('conformance/readers/faulty.program.ts'));
  servers = await Servers.embedded();
});
afterAll(async () => {
  small.remove();
  await servers.close();
});

/** Built, because it is started some hundred times. */
const smallReader = (fault = ''): string => `'${process.execPath}' '${small.file}' '${fault}'`;

/** What was not kept, with what was seen. */
const faultsOf = (judgements: readonly Judgement[]): Judgement[] =>
  judgements.filter(({ verdict }) => verdict !== 'passed');

describe('by the rules of the read protocol', () => {
  test('the client passes, and has everything that they are about', async () => {
    expect(faultsOf(await judgeReader(servers, programCommand(CLIENT)))).toEqual([]);
  });

  test.skipIf(!hasPython)('the Python reader passes; it has no sessions', async () => {
    const reader = repositoryPath('examples/python-reader/judged.py');
    expect(faultsOf(await judgeReader(servers, `python3 '${reader}'`))).toMatchObject([
      { rule: 'RP8', verdict: 'skipped' },
    ]);
  });

  test('a small reader without a fault passes', async () => {
    expect(faultsOf(await judgeReader(servers, smallReader()))).toEqual([]);
  });

  test('a program that is no reader fails, and nothing is said to be kept', async () => {
    const judgements = await judgeReader(servers, 'true');
    expect(judgements.filter(({ verdict }) => verdict === 'passed')).toEqual([]);
  });
});

describe('a reader that', () => {
  // Most of their time is waiting. Each check has readers, proxies and keys of its own.
  test.concurrent.each(FAULT_NAMES)('%s is found by that rule', async (fault) => {
    const rule = FAULTS[fault];
    expect(await judgeReader(servers, smallReader(fault), [rule])).toMatchObject([
      { rule, verdict: 'failed' },
    ]);
  });
});
