import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { type ErrorCode, LineCounter, parseDocument } from 'yaml';
import { ConfigError } from './config-error.ts';

const SCRIPTS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];

/**
 * Reads a configuration file by its extension: YAML, JSON, or a TypeScript/JavaScript module whose default export is
 * the configuration, or a function that returns it.
 * @throws ConfigError if the file cannot be read or parsed
 */
export async function readConfigFile(file: string, cwd: string): Promise<unknown> {
  const path = resolve(cwd, file);
  const extension = extname(path).toLowerCase();
  if (SCRIPTS.includes(extension)) return runScript(path);
  if (!['.yaml', '.yml', '.json'].includes(extension)) {
    throw fault(
      path,
      'has an unknown extension; allowed: .yaml, .yml, .json, .ts, .mts, .js, .mjs',
    );
  }
  const text = await readText(path);
  return extension === '.json' ? parseJson(path, text) : parseYaml(path, text);
}

/** Parses a YAML text. `name` is used in messages. */
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
    throw fault(name, 'is not valid YAML: an alias has no anchor, or expands to too much');
  }
}

/** The parser's own messages are not used, because they quote the text, which contains secrets. */
const YAML_FAULTS: Partial<Record<ErrorCode, string>> = {
  BAD_INDENT: 'the indentation does not fit',
  BLOCK_AS_IMPLICIT_KEY: 'there is a nested mapping where a value was expected',
  DUPLICATE_KEY: 'a name appears twice in one mapping',
  MISSING_CHAR: 'a closing bracket, quote or colon is missing',
  MULTIPLE_DOCS: 'a second document begins',
  TAB_AS_INDENT: 'there is a tab in the indentation',
  UNEXPECTED_TOKEN: 'there is something where nothing was expected',
};
const wordsFor = (code: ErrorCode): string =>
  YAML_FAULTS[code] ?? code.toLowerCase().replaceAll('_', ' ');

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // The parser's message quotes the text, which contains secrets.
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
    // Loaded only here, because its TypeScript loader takes memory that a running coordinator does not need.
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
/** The error's code or name. Its message may quote the file, and so secrets. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
};
