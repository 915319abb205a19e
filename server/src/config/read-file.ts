import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { type ErrorCode, LineCounter, parseDocument } from 'yaml';
import { ConfigError } from './config-error.ts';

const SCRIPTS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];

/**
 * What a configuration file says, by its extension: YAML, JSON, or a TypeScript/JavaScript module whose default export
 * is the configuration (or a function that answers it).
 * @throws ConfigError where the file cannot be read or parsed
 */
export async function readConfigFile(file: string, cwd: string): Promise<unknown> {
  const path = resolve(cwd, file);
  const extension = extname(path).toLowerCase();
  if (SCRIPTS.includes(extension)) return runScript(path);
  if (!['.yaml', '.yml', '.json'].includes(extension)) {
    throw fault(path, 'is of an unknown kind; allowed: .yaml, .yml, .json, .ts, .mts, .js, .mjs');
  }
  const text = await readText(path);
  return extension === '.json' ? parseJson(path, text) : parseYaml(path, text);
}

/** What a YAML text says. `name` stands in messages. */
export function parseYaml(name: string, text: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw fault(name, `is not valid YAML: ${wordsFor(error.code)} at line ${line}, column ${col}`);
  }
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch {
    throw fault(name, 'is not valid YAML: an alias names no anchor, or too much');
  }
}

/** The parser's own messages quote the text, in which secrets stand. */
const YAML_FAULTS: Partial<Record<ErrorCode, string>> = {
  BAD_INDENT: 'the indentation does not fit',
  BLOCK_AS_IMPLICIT_KEY: 'a nested mapping stands where a value was expected',
  DUPLICATE_KEY: 'a name stands twice in one mapping',
  MISSING_CHAR: 'a closing bracket, quote or colon is missing',
  MULTIPLE_DOCS: 'a second document begins',
  TAB_AS_INDENT: 'a tab stands in the indentation',
  UNEXPECTED_TOKEN: 'something stands where nothing was expected',
};
const wordsFor = (code: ErrorCode): string =>
  YAML_FAULTS[code] ?? code.toLowerCase().replaceAll('_', ' ');

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // The message quotes the text, in which secrets stand.
    const at = / at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    throw fault(path, `is not valid JSON${at === undefined ? '' : `: see character ${at}`}`);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw fault(path, `cannot be read: ${reasonOf(error)}`);
  }
}

async function runScript(path: string): Promise<unknown> {
  await readText(path);
  try {
    // Loaded only here: its TypeScript loader costs memory that a running coordinator does not need.
    const { loadConfig } = await import('c12');
    const loaded = await loadConfig({
      configFile: path,
      configFileRequired: true,
      rcFile: false,
      globalRc: false,
      dotenv: false,
      packageJson: false,
      extend: false,
      giget: false,
      envName: false,
    });
    return loaded.config;
  } catch (error) {
    throw fault(path, `cannot be loaded: ${reasonOf(error)}`);
  }
}

const fault = (path: string, message: string): ConfigError => new ConfigError([{ path, message }]);
/** Messages quote files and what their code holds: secrets. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
};
