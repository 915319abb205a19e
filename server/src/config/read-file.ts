import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
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
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) throw fault(name, `is not valid YAML: ${firstLine(error.message)}`);
  return document.toJS({ maxAliasCount: 100 }) as unknown;
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw fault(path, `is not valid JSON: ${reasonOf(error)}`);
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
const firstLine = (message: string): string => message.split('\n', 1)[0]?.replace(/:$/, '') ?? '';
const reasonOf = (error: unknown): string =>
  firstLine(error instanceof Error ? error.message : String(error));
