import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outcomeOf, readPlaywright, readVitest } from './test-report.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-report-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const PASSED = {
  numPassedTests: 2,
  numPendingTests: 1,
  numTodoTests: 0,
  testResults: [{ name: '/a.test.ts', status: 'passed', message: '', assertionResults: [] }],
};

function outcome(text: string | undefined, exitCode: number) {
  const reportPath = join(folder, 'report');
  if (text !== undefined) writeFileSync(reportPath, text);
  return outcomeOf({ runner: 'unit', exitCode, reportPath, read: readVitest });
}

describe('the result of a runner', () => {
  it('is a failure with its name if it ended without a complete report', () => {
    for (const text of [undefined, '', '{"numPassedTests": 3, "testRes']) {
      expect(outcome(text, 137)).toMatchObject({
        passed: 0,
        failed: 1,
        failures: ['unit: ended without a report (exit code 137)'],
      });
    }
  });

  it('is a failure if all tests passed but the runner failed', () => {
    expect(outcome(JSON.stringify(PASSED), 0)).toMatchObject({ passed: 2, failed: 0, skipped: 1 });
    expect(outcome(JSON.stringify(PASSED), 1)).toMatchObject({ passed: 2, failed: 1 });
  });

  it('is a failure if no test was executed', () => {
    const none = { ...PASSED, numPassedTests: 0, testResults: [] };
    expect(outcome(JSON.stringify(none), 0)).toMatchObject({ failed: 1 });
  });

  it('names each test that failed, and each file that could not be run', () => {
    const failed = { status: 'failed', ancestorTitles: ['outer', 'inner'], title: 'does it' };
    const report = {
      ...PASSED,
      testResults: [
        { name: join(process.cwd(), 'a.test.ts'), status: 'failed', assertionResults: [failed] },
        {
          name: join(process.cwd(), 'b.test.ts'),
          status: 'failed',
          message: 'Worker exited\nat',
          assertionResults: [{ ...failed, status: 'passed' }],
        },
      ],
    };
    expect(outcome(JSON.stringify(report), 1)).toMatchObject({
      failed: 2,
      failures: ['a.test.ts › outer › inner › does it', 'b.test.ts: Worker exited'],
    });
  });

  it('names what failed in the browser, and what stopped the browser', () => {
    const stats = { expected: 1, unexpected: 1, flaky: 0, skipped: 0 };
    const spec = { title: 'opens', tests: [{ status: 'unexpected' }] };
    const suites = [{ title: 'a.spec.ts', suites: [{ title: 'page', specs: [spec] }] }];
    expect(readPlaywright({ stats, errors: [], suites }).failures).toEqual([
      'a.spec.ts › page › opens',
    ]);
    const errors = [{ message: 'no browser\nat' }];
    expect(readPlaywright({ stats, errors, suites: [] })).toMatchObject({
      failed: 1,
      failures: ['ui: no browser'],
    });
  });
});
