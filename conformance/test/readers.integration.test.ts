import { spawnSync } from 'node:child_process';
import { repositoryPath } from '@lockstep/testkit/repository';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Judgement } from '../findings.ts';
import { judgeReader } from '../kit.ts';
import { programCommand } from '../program-command.ts';
import { FAULT_NAMES, FAULTS } from '../readers/faults.ts';
import { Servers } from '../servers.ts';

const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython)
  console.warn('SKIPPED: python3 is not installed, so that examples/python-reader is not judged');

let servers: Servers;
beforeAll(async () => {
  servers = await Servers.embedded();
});
afterAll(() => servers.close());

const program = (name: string, ...args: readonly string[]): string =>
  programCommand(repositoryPath(`conformance/readers/${name}.program.ts`), ...args);

/** What was not kept, with what was seen. */
const faultsOf = (judgements: readonly Judgement[]): Judgement[] =>
  judgements.filter(({ verdict }) => verdict !== 'passed');

describe('by the rules of the read protocol', () => {
  test('the client passes, and has everything that they are about', async () => {
    expect(faultsOf(await judgeReader(servers, program('client')))).toEqual([]);
  });

  test.skipIf(!hasPython)('the Python reader passes; it has no sessions', async () => {
    const reader = repositoryPath('examples/python-reader/judged.py');
    expect(faultsOf(await judgeReader(servers, `python3 '${reader}'`))).toMatchObject([
      { rule: 'RP8', verdict: 'skipped' },
    ]);
  });

  test('a small reader without a fault passes', async () => {
    expect(faultsOf(await judgeReader(servers, program('faulty')))).toEqual([]);
  });

  test('a program that is no reader fails, and nothing is said to be kept', async () => {
    const judgements = await judgeReader(servers, 'true');
    expect(judgements.filter(({ verdict }) => verdict === 'passed')).toEqual([]);
  });
});

describe('a reader that', () => {
  test.each(FAULT_NAMES)('%s is found, by that rule alone', async (fault) => {
    const judgements = await judgeReader(servers, program('faulty', fault));
    const broken = judgements.filter(({ verdict }) => verdict === 'failed');
    // What is wrong in a quiet moment may be seen under load too.
    expect(broken.filter(({ rule }) => rule !== 'run')).toMatchObject([{ rule: FAULTS[fault] }]);
  });
});
