// @ts-check
/** What came out of the tests: read from the reports that Vitest and Playwright write as JSON. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { ROOT } from './process.mjs';

/**
 * @typedef {object} Outcome
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {number} flaky passed when tried again; counted among `passed` too
 * @property {string[]} failures one line for each test or file that failed
 */

/** @typedef {(report: any) => Outcome} ReportReader */

/** @returns {Outcome} */
export const noOutcome = () => ({ passed: 0, failed: 0, skipped: 0, flaky: 0, failures: [] });

/**
 * What a runner has to show. Where it ended without a report, without a test or with a fault of its own (a crash, a
 * worker that died, an interruption), that is a failure too: never “0 failed”.
 * @param {object} ended
 * @param {string} ended.runner
 * @param {number} ended.exitCode
 * @param {string} ended.reportPath
 * @param {ReportReader} ended.read
 * @returns {Outcome}
 */
export function outcomeOf({ runner, exitCode, reportPath, read }) {
  const outcome = readReport(reportPath, read);
  if (outcome === undefined)
    return failed(noOutcome(), `${runner}: ended without a report (exit code ${exitCode})`);
  if (outcome.passed + outcome.failed === 0)
    return failed(outcome, `${runner}: no test was executed`);
  if (exitCode !== 0 && outcome.failed === 0) {
    return failed(outcome, `${runner}: the runner failed (exit code ${exitCode})`);
  }
  return outcome;
}

/**
 * @param {Outcome} outcome
 * @param {string} what
 */
export function failed(outcome, what) {
  outcome.failed += 1;
  outcome.failures.push(what);
  return outcome;
}

/**
 * @param {string} path
 * @param {ReportReader} read
 */
function readReport(path, read) {
  try {
    return read(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined; // it ended before it could write one, or in the middle
  }
}

/** @type {ReportReader} */
export function readVitest(report) {
  const outcome = noOutcome();
  outcome.passed = report.numPassedTests;
  outcome.skipped = report.numPendingTests + report.numTodoTests;
  for (const file of report.testResults) {
    const path = relative(ROOT, file.name);
    const tests = file.assertionResults.filter(
      (/** @type {any} */ test) => test.status === 'failed',
    );
    for (const { ancestorTitles, title } of tests) {
      failed(outcome, [path, ...ancestorTitles, title].join(' › '));
    }
    // A file that could not be loaded, or whose worker died, has no tests to fail.
    if (file.status === 'failed' && tests.length === 0) {
      failed(outcome, `${path}: ${firstLine(file.message) || 'could not be run'}`);
    }
  }
  return outcome;
}

/** @type {ReportReader} */
export function readPlaywright({ stats, errors, suites }) {
  const outcome = noOutcome();
  outcome.passed = stats.expected + stats.flaky;
  outcome.skipped = stats.skipped;
  outcome.flaky = stats.flaky;
  for (const name of failedSpecs(suites, [])) failed(outcome, name);
  if (outcome.failed === 0)
    for (const { message } of errors) failed(outcome, `ui: ${firstLine(message)}`);
  return outcome;
}

/**
 * @param {any[]} suites
 * @param {string[]} above
 * @returns {string[]}
 */
function failedSpecs(suites, above) {
  return suites.flatMap(({ title, specs = [], suites: inner = [] }) => {
    const path = [...above, title];
    const tests = specs.flatMap((/** @type {any} */ spec) =>
      spec.tests
        .filter((/** @type {any} */ test) => test.status === 'unexpected')
        .map(() => [...path, spec.title].join(' › ')),
    );
    return [...tests, ...failedSpecs(inner, path)];
  });
}

/** @param {string | undefined} text */
const firstLine = (text) => (text ?? '').split('\n', 1)[0] ?? '';
