// @ts-check
/**
 * All tests: `npm test`. One runner: `npm test -- --only unit` (unit, integration, e2e, ui); what else is given goes to
 * that runner. The last line is the count.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { ROOT, runScript, runVisibly, say, SetupError } from './process.mjs';
import { setUp } from './setup.mjs';
import { installFakeTime } from './system-packages.mjs';

/** @typedef {{ passed: number, failed: number, skipped: number, flaky: number }} Counts */
/** @typedef {{ name: string, args: string[], env?: Record<string, string>, count: (report: any) => Counts }} Runner */

const VITEST_PROJECTS = ['unit', 'integration', 'e2e'];
const PLAYWRIGHT_CONFIG = join(ROOT, 'e2e', 'playwright.config.ts');

const total = { passed: 0, failed: 0, skipped: 0, flaky: 0 };
await runScript(() => runAll(process.argv.slice(2)));
// What stopped the run before its end (a build that fails) is a failure too.
if (process.exitCode && total.failed === 0) total.failed = 1;
if (total.flaky > 0) console.log(`${total.flaky} flaky: passed when tried again`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);

/** @param {string[]} args */
async function runAll(args) {
  const [only, extra] = readArguments(args);
  await setUp({ tests: true });
  await installFakeTime();
  await build();
  const reports = mkdtempSync(join(tmpdir(), 'lockstep-test-reports-'));
  try {
    const runners = allRunners(reports).filter(({ name }) => only === undefined || name === only);
    if (runners.length === 0) throw new SetupError(`no tests are called ${only}`);
    for (const runner of runners) add(await runTests(runner, join(reports, runner.name), extra));
    if (total.failed > 0) process.exitCode = 1;
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

/**
 * @param {string[]} args
 * @returns {[string | undefined, string[]]}
 */
function readArguments(args) {
  const at = args.indexOf('--only');
  if (at < 0) {
    if (args.length > 0) throw new SetupError(`only with --only RUNNER: ${args.join(' ')}`);
    return [undefined, []];
  }
  return [args[at + 1] ?? '', [...args.slice(0, at), ...args.slice(at + 2)]];
}

/**
 * @param {string} reports
 * @returns {Runner[]}
 */
function allRunners(reports) {
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const playwright = join(ROOT, 'e2e', 'node_modules', '@playwright', 'test', 'cli.js');
  const reporters = ['--reporter=default', '--reporter=json'];
  /** @type {Runner[]} */
  const runners = VITEST_PROJECTS.map((name) => ({
    name,
    args: [
      vitest,
      'run',
      '--project',
      name,
      ...reporters,
      `--outputFile.json=${join(reports, name)}`,
    ],
    count: countVitest,
  }));
  if (existsSync(PLAYWRIGHT_CONFIG)) {
    runners.push({
      name: 'ui',
      args: [playwright, 'test', '--config', PLAYWRIGHT_CONFIG, '--reporter=list,json'],
      env: { PLAYWRIGHT_JSON_OUTPUT_NAME: join(reports, 'ui') },
      count: countPlaywright,
    });
  }
  return runners;
}

/**
 * @param {Runner} runner
 * @param {string} reportPath
 * @param {string[]} extra
 * @returns {Promise<Counts>}
 */
async function runTests({ name, args, env, count }, reportPath, extra) {
  console.log(`\n== ${name}`);
  const exitCode = await runVisibly(process.execPath, [...args, ...extra], env ? { env } : {});
  const counts = readReport(reportPath, count);
  const executed = counts.passed + counts.failed;
  if (executed === 0) {
    say(`${name}: no test was executed`);
    counts.failed += 1;
  } else if (exitCode !== 0 && counts.failed === 0) {
    say(`${name}: the runner failed (exit code ${exitCode})`);
    counts.failed += 1;
  }
  return counts;
}

/**
 * @param {string} path
 * @param {(report: any) => Counts} count
 * @returns {Counts}
 */
function readReport(path, count) {
  try {
    return count(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return { passed: 0, failed: 0, skipped: 0, flaky: 0 }; // it crashed before it could write one
  }
}

/** @param {any} report */
function countVitest(report) {
  // A file that could not be loaded has no tests to fail.
  const brokenFiles = report.testResults.filter(
    (/** @type {any} */ file) =>
      file.status === 'failed' &&
      !file.assertionResults.some((/** @type {any} */ one) => one.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + report.numTodoTests,
    flaky: 0,
  };
}

/** @param {any} report */
function countPlaywright({ stats, errors }) {
  return {
    passed: stats.expected + stats.flaky,
    failed: stats.unexpected + (stats.unexpected === 0 ? errors.length : 0),
    skipped: stats.skipped,
    flaky: stats.flaky,
  };
}

/** @param {Counts} counts */
function add(counts) {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  total.flaky += counts.flaky;
}
