/**
 * `LOCKSTEP_*` variables override the file. The name follows the path: `locks.waitTimeout` is
 * `LOCKSTEP_LOCKS_WAIT_TIMEOUT`, `resources.account.ttl` is `LOCKSTEP_RESOURCES_ACCOUNT_TTL`. Lists are separated by
 * commas. A variable whose name ends in `_FILE` names a file that contains the value, for secrets.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { FieldFault } from '@lockstep/shared';
import { z } from 'zod';
import { groups, kindOfResource, RESOURCE_SCHEMAS } from './schema.ts';

const PREFIX = 'LOCKSTEP_';
const FILE_SUFFIX = '_FILE';
/** Variables that the command line reads. */
const COMMAND_LINE = ['LOCKSTEP_CONFIG', 'LOCKSTEP_DATA_DIR'];

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Overrides {
  /** The raw configuration with the variables' values. */
  raw: unknown;
  faults: FieldFault[];
  /**
   * Warnings about variables that look like settings but are none. A container platform may set such variables by
   * itself.
   */
  warnings: string[];
}

/** A copy of `raw` with the values of `LOCKSTEP_*` variables. Files are relative to `cwd`. */
export async function applyEnvironment(
  raw: unknown,
  env: Environment,
  cwd: string,
): Promise<Overrides> {
  const copy: unknown = structuredClone(raw ?? {});
  const faults: FieldFault[] = [];
  const warnings: string[] = [];
  const known = knownNames(copy);
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || value === undefined || COMMAND_LINE.includes(name)) continue;
    const plain = known.get(name);
    const fromFile = name.endsWith(FILE_SUFFIX)
      ? known.get(name.slice(0, -FILE_SUFFIX.length))
      : undefined;
    if (plain !== undefined) assign(copy, plain, value, faults);
    else if (fromFile === undefined) noteUnknown(name, faults, warnings);
    else if (env[name.slice(0, -FILE_SUFFIX.length)] !== undefined) {
      faults.push({
        path: name,
        message: 'is set as well as its plain variable; allowed: one of the two',
      });
    } else {
      const text = await readSecret(name, resolve(cwd, value), faults);
      if (text !== undefined) assign(copy, fromFile, text, faults);
    }
  }
  return { raw: copy, faults, warnings };
}

function noteUnknown(name: string, faults: FieldFault[], warnings: string[]): void {
  const known = [...Object.keys(groups), 'resources'];
  const isOfGroup = known.some((group) => name.startsWith(`${PREFIX}${variableName([group])}_`));
  if (isOfGroup) {
    faults.push({
      path: name,
      message:
        'is not a setting; allowed: LOCKSTEP_ and the path of one, such as LOCKSTEP_LOCKS_WAIT_TIMEOUT',
    });
  } else {
    warnings.push(`${name} is not a setting of Lockstep: ignored`);
  }
}

async function readSecret(
  name: string,
  path: string,
  faults: FieldFault[],
): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    faults.push({
      path: name,
      // The path is not shown, because someone who forgets what `_FILE` means puts the secret itself there.
      message: `names a file that cannot be read (${reason}); allowed: the path of a file`,
    });
    return undefined;
  }
}

function knownNames(raw: unknown): Map<string, string[]> {
  const names = new Map<string, string[]>();
  const add = (path: string[]): void => void names.set(`${PREFIX}${variableName(path)}`, path);
  for (const [group, schema] of Object.entries(groups)) leafPaths(schema, [group]).forEach(add);
  for (const [name, fields] of rawResources(raw)) {
    const schema = RESOURCE_SCHEMAS[kindOfResource(isRecord(fields) ? fields : {})];
    leafPaths(schema, ['resources', name]).forEach(add);
  }
  return names;
}

function leafPaths(schema: z.core.$ZodType, path: string[]): string[][] {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return [path];
  const shape = inner.shape as Record<string, z.core.$ZodType>;
  return Object.entries(shape).flatMap(([name, child]) => leafPaths(child, [...path, name]));
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const wrapped =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault;
  return wrapped ? unwrap(schema.unwrap()) : schema;
}

function rawResources(raw: unknown): [string, unknown][] {
  if (!isRecord(raw) || !isRecord(raw['resources'])) return [];
  return Object.entries(raw['resources']);
}

/** `['locks', 'waitTimeout']` as `LOCKS_WAIT_TIMEOUT`. */
const variableName = (path: string[]): string =>
  path
    .map((name) =>
      name
        .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
        .replaceAll('-', '_')
        .toUpperCase(),
    )
    .join('_');

function assign(raw: unknown, path: string[], value: string, faults: FieldFault[]): void {
  let at = raw;
  for (const [index, name] of path.entries()) {
    if (!isRecord(at)) {
      faults.push({
        path: path.slice(0, index).join('.'),
        message: 'is not an object, so that no variable can set a field of it',
      });
      return;
    }
    if (index === path.length - 1) at[name] = value;
    else at = at[name] ??= {};
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
