// @ts-check
/**
 * All tests: `npm test`. One runner: `npm test -- --only unit` (unit, integration, e2e, ui); what else is given goes to
 * that runner. At the end
 * stand the names of what failed; the last line is the count.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { ROOT, runScript, runVisibly, SetupError } from './process.mjs';
import { setUp } from './setup.mjs';
import { installFakeTime } from './system-packages.mjs';
import { failed, noOutcome, outcomeOf, readPlaywright, readVitest } from './test-report.mjs';

/**
 * @typedef {object} Runner
 * @property {string} name
 * @property {string[]} args
 * @property {Record<string, string>} [env]
 * @property {import('./test-report.mjs').ReportReader} read
 */

const VITEST_PROJECTS = ['unit', 'integration', 'e2e'];
const PLAYWRIGHT_CONFIG = join(ROOT, 'e2e', 'playwright.config.ts');

const total = noOutcome();
let isRunnerUnderWay = false;
/** @type {NodeJS.Signals | undefined} */
let interruption;
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, interrupted);
}
await runScript(() => runAll(process.argv.slice(2)));
conclude();

/**
 * `runVisibly` passes the signal on to a running runner, which ends with what it has; nothing else is started. A second signal ends
 * us at once.
 * @param {NodeJS.Signals} signal
 */
function interrupted(signal) {
  const isFirst = interruption === undefined;
  interruption = signal;
  if (isFirst && isRunnerUnderWay) return;
  conclude();
  process.exit();
}

/** Names what failed, and counts: the last line. */
function conclude() {
  if (interruption !== undefined) failed(total, `interrupted by ${interruption}`);
  // What stopped the run before its end (a build that fails) is a failure too.
  else if (process.exitCode && total.failed === 0) failed(total, 'the run ended before its end');
  if (total.failed > 0) process.exitCode = 1;
  if (total.failures.length > 0) console.log(`\nFailed:`);
  for (const line of total.failures) console.log(`  ${line}`);
  if (total.flaky > 0) console.log(`${total.flaky} flaky: passed when tried again`);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
}

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
    for (const runner of runners) {
      if (interruption === undefined) await runTests(runner, join(reports, runner.name), extra);
    }
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
    read: readVitest,
  }));
  if (existsSync(PLAYWRIGHT_CONFIG)) {
    runners.push({
      name: 'ui',
      args: [playwright, 'test', '--config', PLAYWRIGHT_CONFIG, '--reporter=list,json'],
      env: { PLAYWRIGHT_JSON_OUTPUT_NAME: join(reports, 'ui') },
      read: readPlaywright,
    });
  }
  return runners;
}

/**
 * @param {Runner} runner
 * @param {string} reportPath
 * @param {string[]} extra
 */
async function runTests({ name, args, env, read }, reportPath, extra) {
  console.log(`\n== ${name}`);
  isRunnerUnderWay = true;
  const exitCode = await runVisibly(process.execPath, [...args, ...extra], env ? { env } : {});
  isRunnerUnderWay = false;
  const outcome = outcomeOf({ runner: name, exitCode, reportPath, read });
  for (const count of /** @type {const} */ (['passed', 'failed', 'skipped', 'flaky'])) {
    total[count] += outcome[count];
  }
  total.failures.push(...outcome.failures);
}
