// @ts-check
/**
 * Holds docs/SPEC.md, docs/read-protocol.md and the tests together: every numbered invariant or rule has a test whose name
 * carries its number, and no test names a number that neither has. `--list` prints which tests hold what.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { ROOT, say } from './process.mjs';

/** Not the checkers: their tests name the rules that made-up histories break, which holds nothing. */
const FOLDERS = [
  'server',
  'shared',
  'migrations',
  'client',
  'adapters',
  'dashboard',
  'simulation',
  'bench',
  'conformance',
  'e2e',
  'scripts',
];
const DOCUMENTS = ['SPEC.md', 'read-protocol.md'];
/** A table of scenarios, each with the title of its test, may stand in a file of its own. */
const TEST_FILE = /(\.(test|spec|conformance)|^scenarios)\.ts$/;
/** Also what starts with a dot. */
const NOT_OURS = /^(node_modules|dist.*|\..*)$/;
const RUNNERS = new Set(['test', 'it', 'describe']);
const NOT_RUN = new Set(['skip', 'todo']);

/** @typedef {{ file: string, title: string }} Title */

/**
 * The invariants' numbers and texts, from the tables of the specification. What it assumes (A1, A2, …) needs no test.
 * @param {string} spec
 * @returns {Map<string, string>}
 */
export function invariantsOf(spec) {
  const found = new Map();
  for (const [, number = '', text = ''] of spec.matchAll(
    /^\|\s*((?:RP|[B-Z])[1-9]\d?)\s*\|\s*(.*?)\s*\|/gm,
  )) {
    if (found.has(number)) throw new Error(`the specification has ${number} twice`);
    found.set(number, text);
  }
  return found;
}

/**
 * The names of the tests and groups of a test file that are run, with what the table of a `.each` puts into them; and
 * each `title` of a table.
 * @param {string} source
 * @returns {string[]}
 */
export function titlesOf(source) {
  const file = ts.createSourceFile('a.test.ts', source, ts.ScriptTarget.Latest);
  /** @type {string[]} */
  const titles = [];
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isCallExpression(node)) {
      const [title] = node.arguments;
      const runner = runnerOf(node.expression);
      if (runner !== null && title !== undefined && isText(title)) {
        if (runner.isSkipped) return;
        titles.push(`${textOf(title)} ${filled(textOf(title)) ? runner.table : ''}`.trim());
      }
    }
    if (ts.isPropertyAssignment(node) && isTitle(node.name) && isText(node.initializer)) {
      titles.push(textOf(node.initializer));
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return titles;
}

/**
 * What is called: `test`, `it.skip`, `describe.each(table)`; null if it is something else.
 * @param {ts.Expression} called
 * @returns {{ isSkipped: boolean, table: string } | null}
 */
function runnerOf(called) {
  if (ts.isIdentifier(called)) {
    return RUNNERS.has(called.text) ? { isSkipped: false, table: '' } : null;
  }
  if (ts.isPropertyAccessExpression(called)) {
    const runner = runnerOf(called.expression);
    const isSkipped = NOT_RUN.has(called.name.text);
    return runner && { ...runner, isSkipped: runner.isSkipped || isSkipped };
  }
  if (ts.isCallExpression(called)) {
    const runner = runnerOf(called.expression);
    return runner && { ...runner, table: called.arguments.flatMap(textsIn).join(' ') };
  }
  return null;
}

/**
 * @param {ts.Node} node
 * @returns {string[]}
 */
function textsIn(node) {
  if (isText(node)) return [textOf(node)];
  /** @type {string[]} */
  const texts = [];
  ts.forEachChild(node, (child) => {
    texts.push(...textsIn(child));
  });
  return texts;
}

/** @param {ts.PropertyName} name */
const isTitle = (name) => ts.isIdentifier(name) && name.text === 'title';

/** @param {string} title */
const filled = (title) => /%[sjoi]|\$/.test(title);

/**
 * @param {ts.Node} node
 * @returns {node is ts.StringLiteralLike | ts.TemplateExpression}
 */
const isText = (node) => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);

/** @param {ts.StringLiteralLike | ts.TemplateExpression} node */
function textOf(node) {
  if (ts.isStringLiteralLike(node)) return node.text;
  return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join('…');
}

/**
 * The tests that carry each number.
 * @param {Title[]} titles
 * @param {Iterable<string>} prefixes what the specification's numbers begin with
 * @returns {Map<string, Title[]>}
 */
export function testsByNumber(titles, prefixes) {
  const number = new RegExp(`\\b(?:${[...prefixes].join('|')})[1-9]\\d?\\b`, 'g');
  /** @type {Map<string, Title[]>} */
  const found = new Map();
  for (const title of titles) {
    for (const each of new Set(title.title.match(number) ?? [])) {
      found.set(each, [...(found.get(each) ?? []), title]);
    }
  }
  return found;
}

/**
 * The test files below a folder of the repository.
 * @param {string} folder
 * @returns {string[]}
 */
function testFiles(folder) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return NOT_OURS.test(entry.name) ? [] : testFiles(path);
    return TEST_FILE.test(entry.name) ? [path] : [];
  });
}

/** @returns {Title[]} */
function allTitles() {
  return FOLDERS.filter((folder) => existsSync(join(ROOT, folder)))
    .flatMap(testFiles)
    .sort()
    .flatMap((file) =>
      titlesOf(readFileSync(join(ROOT, file), 'utf8')).map((title) => ({ file, title })),
    );
}

function checkSpec() {
  const texts = DOCUMENTS.map((name) => readFileSync(join(ROOT, 'docs', name), 'utf8'));
  const invariants = invariantsOf(texts.join('\n'));
  const prefixes = new Set([...invariants.keys()].map((number) => number.replace(/\d+$/, '')));
  const tests = testsByNumber(allTitles(), prefixes);
  if (argv.includes('--list')) list(invariants, tests);
  const faults = [
    ...[...invariants.keys()]
      .filter((number) => !tests.has(number))
      .map((number) => `${number} of the specification has no test whose name carries it`),
    ...[...tests]
      .filter(([number]) => !invariants.has(number))
      .map(([number, [test]]) => `${number} is not in the specification; ${test?.file} names it`),
  ];
  for (const fault of faults) say(fault);
  if (faults.length > 0 || invariants.size === 0) process.exitCode = 1;
  else say(`each of ${invariants.size} invariants has a test`);
}

/**
 * @param {Map<string, string>} invariants
 * @param {Map<string, Title[]>} tests
 */
function list(invariants, tests) {
  for (const [number, text] of invariants) {
    console.log(`${number.padEnd(4)} ${text}`);
    for (const { file, title } of tests.get(number) ?? []) console.log(`       ${file}: ${title}`);
  }
}

if (argv[1] && realpathSync(argv[1]) === fileURLToPath(import.meta.url)) checkSpec();
