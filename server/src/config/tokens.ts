import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ids } from '../runtime/index.ts';
import type { AuthConfig } from './config.ts';

export interface Tokens {
  service: string;
  admin: string;
}

const FILE = 'tokens.json';

/**
 * The tokens that callers must show: the configured ones, otherwise those in the data folder, otherwise new ones, which
 * are stored there (mode 0600). An unreadable file is replaced.
 */
export async function resolveTokens(
  auth: { tokens: Pick<AuthConfig['tokens'], 'service' | 'admin'> },
  dataDir: string,
  ids: Ids,
): Promise<Tokens> {
  const { service, admin } = auth.tokens;
  if (service !== null && admin !== null) return { service, admin };
  const kept = await keptTokens(dataDir, ids);
  return { service: service ?? kept.service, admin: admin ?? kept.admin };
}

async function keptTokens(dataDir: string, ids: Ids): Promise<Tokens> {
  const path = join(dataDir, FILE);
  const found = await readTokens(path);
  if (found.tokens !== null) return found.tokens;
  const tokens = { service: newToken('service', ids), admin: newToken('admin', ids) };
  await mkdir(dataDir, { recursive: true });
  const draft = join(dataDir, `${FILE}.${ids.next()}`);
  await writeFile(draft, `${JSON.stringify(tokens)}\n`, { mode: 0o600, flush: true });
  if (found.exists) {
    await rename(draft, path);
    return tokens;
  }
  return keepFirst(draft, path, tokens);
}

/** A link fails if the file has appeared meanwhile, so two simultaneous starts agree on the tokens of the first one. */
async function keepFirst(draft: string, path: string, tokens: Tokens): Promise<Tokens> {
  try {
    await link(draft, path);
    return tokens;
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    return (await readTokens(path)).tokens ?? tokens;
  } finally {
    await rm(draft, { force: true });
  }
}

async function readTokens(path: string): Promise<{ exists: boolean; tokens: Tokens | null }> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { exists: false, tokens: null };
    throw error;
  }
  return { exists: true, tokens: parseTokens(text) };
}

function parseTokens(text: string): Tokens | null {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value !== 'object' || value === null) return null;
    if (!('service' in value) || !('admin' in value)) return null;
    const { service, admin } = value;
    return isToken(service) && isToken(admin) && service !== admin ? { service, admin } : null;
  } catch {
    // A crash left it half written, so nobody knows these tokens.
    return null;
  }
}

const isToken = (value: unknown): value is string =>
  typeof value === 'string' && /^[\x21-\x7e]{16,256}$/.test(value);
/** Two ids together are about 192 random bits. */
const newToken = (role: string, ids: Ids): string => `ls_${role}_${ids.next()}${ids.next()}`;
const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
