/** `lockstep keys`: works on the database, so that every coordinator of it learns of a change. */
import { migrationState } from '../checks/index.ts';
import type { Config } from '../config/index.ts';
import { DAY_MS, formatDuration, parseDurationMs, SECOND_MS } from '../config/settings.ts';
import {
  ALL_RESOURCES,
  type ApiKeyStore,
  createApiKeyStore,
  type ListedApiKey,
  MAX_VALID_KEYS,
  newKeyText,
  newSecret,
  parseScope,
  type Role,
  type Scope,
  scopeTexts,
} from '../identities/index.ts';
import { CliFailure } from './cli-failure.ts';
import { onDatabase } from './migrate.ts';
import type { CliPorts, CommonOptions } from './ports.ts';

const MIGRATION = '0016_api_keys';
const USAGE = 2;
const MAX_NAME_LENGTH = 100;
/** Calls compare their keys with each prefix. */
const MAX_SCOPES = 100;
const LONGEST_EXPIRY_MS = 3_650 * DAY_MS;
const LONGEST_GRACE_MS = 90 * DAY_MS;

export interface CreateKeyOptions {
  name: string;
  /** As given, each a list. */
  scope?: string[];
  role?: Role;
  expires?: string;
}

export interface RotateKeyOptions {
  grace: string;
  expires?: string;
}

/** Makes a key and prints its text, once. @throws CliFailure */
export async function runKeysCreate(
  options: CommonOptions & CreateKeyOptions,
  ports: CliPorts,
): Promise<void> {
  const name = options.name.trim();
  if (name === '' || name.length > MAX_NAME_LENGTH || !/^\P{Cc}+$/u.test(name))
    throw wrong('--name', `is no name; allowed: 1 to ${MAX_NAME_LENGTH} characters`);
  const { role = null } = options;
  const expiresInMs = durationOf('--expires', options.expires, SECOND_MS, LONGEST_EXPIRY_MS);
  const scopes = scopesOf(options.scope ?? []);
  if (scopes.length === 0 && role === null)
    throw wrong(
      '--scope, --role',
      'are missing, so that the key could do nothing; allowed: scopes such as read:account,write:account:eu-*, or a role: viewer, operator, admin',
    );
  await onKeys(options, ports, async (store, config) => {
    assertResources(scopes, config);
    const { id, prefix, text, hash } = newKeyText(ports.runtime.ids);
    const key = { id, name, prefix, secretHash: hash, scopes, role, expiresInMs };
    if (!(await store.add(key)))
      throw new CliFailure(
        `there are ${MAX_VALID_KEYS} valid keys, and no more are allowed; revoke those that nobody uses`,
      );
    const { expiresAtMs } = await found(store, id);
    print({ id, key: text, prefix, expiresAt: shownTime(expiresAtMs) }, options, ports);
  });
}

/** Prints all keys, without their secrets. */
export async function runKeysList(options: CommonOptions, ports: CliPorts): Promise<void> {
  await onKeys(options, ports, async (store) => {
    const keys = await store.list();
    if (options.json) return ports.out(JSON.stringify({ keys: keys.map(shown) }));
    if (keys.length === 0) return ports.out('there are no keys');
    for (const each of keys) ports.out(lineOf(each));
  });
}

/** Gives a key another secret and prints it, once. @throws CliFailure where no valid key has the id */
export async function runKeysRotate(
  id: string,
  options: CommonOptions & RotateKeyOptions,
  ports: CliPorts,
): Promise<void> {
  const askedMs = durationOf('--grace', options.grace, 0, LONGEST_GRACE_MS) ?? 0;
  const expiresInMs = durationOf('--expires', options.expires, SECOND_MS, LONGEST_EXPIRY_MS);
  const graceMs = Math.min(askedMs, expiresInMs ?? askedMs);
  await onKeys(options, ports, async (store) => {
    const { prefix, state } = await found(store, id);
    const { text, hash } = newSecret(prefix, ports.runtime.ids);
    if (state !== 'valid' || !(await store.rotate(id, { secretHash: hash, graceMs, expiresInMs })))
      throw new CliFailure(`the key ${id} is ${state}; allowed: a valid one, or create another`);
    const { expiresAtMs, formerUntilMs } = await found(store, id);
    const ends = {
      expiresAt: shownTime(expiresAtMs),
      formerUntil: shownTime(formerUntilMs),
    };
    print({ id, key: text, prefix, ...ends }, options, ports);
  });
}

/** Ends a key. A repeat changes nothing. @throws CliFailure where no key has the id */
export async function runKeysRevoke(
  id: string,
  options: CommonOptions,
  ports: CliPorts,
): Promise<void> {
  await onKeys(options, ports, async (store) => {
    await found(store, id);
    await store.revoke(id);
    const { prefix, revokedAtMs } = await found(store, id);
    print({ id, prefix, revokedAt: shownTime(revokedAtMs) }, options, ports);
  });
}

async function onKeys(
  options: CommonOptions,
  ports: CliPorts,
  work: (store: ApiKeyStore, config: Config) => Promise<void>,
): Promise<void> {
  await onDatabase(options, ports, async ({ sql }, config) => {
    const { pending } = await migrationState(sql);
    if (pending.includes(MIGRATION))
      throw new CliFailure(
        `the database has no table of keys yet (${MIGRATION} is pending); run lockstep migrate up`,
      );
    await work(createApiKeyStore({ sql }), config);
  });
}

async function found(store: ApiKeyStore, id: string): Promise<ListedApiKey> {
  const key = (await store.list()).find((each) => each.id === id);
  if (key !== undefined) return key;
  throw new CliFailure(`no key has the id ${JSON.stringify(id)}; lockstep keys list shows them`);
}

function scopesOf(lists: readonly string[]): Scope[] {
  const texts = lists.flatMap(scopeTexts);
  if (texts.length > MAX_SCOPES)
    throw wrong('--scope', `has ${texts.length} scopes; allowed: at most ${MAX_SCOPES}`);
  return texts.map((text) => {
    const parsed = parseScope(text);
    if ('scope' in parsed) return parsed.scope;
    throw wrong('--scope', `${JSON.stringify(text)} ${parsed.fault}`);
  });
}

/** A name that is spelled wrongly would make a key that silently may do nothing. */
function assertResources(scopes: readonly Scope[], { resources }: Config): void {
  const names = resources.map(({ name }) => name);
  const unknown = scopes.find(
    ({ resource }) => resource !== ALL_RESOURCES && !names.includes(resource),
  );
  if (unknown !== undefined)
    throw wrong(
      '--scope',
      `names the resource ${unknown.resource}, which is not configured; allowed: ${[...names, ALL_RESOURCES].join(', ')}`,
    );
}

function durationOf(
  option: string,
  text: string | undefined,
  minMs: number,
  maxMs: number,
): number | null {
  if (text === undefined) return null;
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined && durationMs >= minMs && durationMs <= maxMs) return durationMs;
  const range = `${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  throw wrong(option, `is no duration from ${range}; allowed: such as 12h or 90d`);
}

const wrong = (option: string, message: string): CliFailure =>
  new CliFailure(`${option}: ${message}`, USAGE);

function print(
  answer: Readonly<Record<string, string | null>>,
  { json }: CommonOptions,
  ports: CliPorts,
): void {
  if (json) return ports.out(JSON.stringify(answer));
  const note = 'key' in answer ? ' (shown only this once)' : '';
  for (const [name, value] of Object.entries(answer))
    ports.out(`${name.padEnd(11)}  ${value ?? 'never'}${name === 'key' ? note : ''}`);
}

const shown = (key: ListedApiKey): object => ({
  ...{ id: key.id, name: key.name, prefix: key.prefix, state: key.state },
  ...{ scopes: key.scopes, role: key.role, createdAt: shownTime(key.createdAtMs) },
  ...{ expiresAt: shownTime(key.expiresAtMs), revokedAt: shownTime(key.revokedAtMs) },
  ...{ formerUntil: shownTime(key.formerUntilMs), usedAt: shownTime(key.usedAtMs) },
});

function lineOf(key: ListedApiKey): string {
  const { id, prefix, name, state, scopes, role, expiresAtMs, usedAtMs } = key;
  const may = [...(role === null ? [] : [`role ${role}`]), ...scopes].join(', ');
  const expiry = expiresAtMs === null ? '' : `, expires ${shownTime(expiresAtMs)}`;
  const use = usedAtMs === null ? 'not used yet' : `used ${shownTime(usedAtMs)}`;
  return `${id}  ${prefix}  ${state.padEnd(7)}  ${name}: ${may}${expiry}, ${use}`;
}

const shownTime = (timeMs: number | null): string | null =>
  timeMs === null ? null : new Date(timeMs).toISOString();
