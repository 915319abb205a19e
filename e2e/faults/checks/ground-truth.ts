/** Reads what the servers hold once a run is over, and compares it with the callers' answers. */
import type { CorruptEntry, Entry } from '@lockstep/shared';
import { decodeEntry, isJsonObject } from '@lockstep/shared';
import type { Cluster } from '../cluster/cluster.ts';
import {
  CARD_SOURCES,
  FAULT_RESOURCES,
  type FaultResource,
  RESOURCE_NAMES,
} from '../cluster/tables.ts';
import type { Ledger } from '../load/ledger.ts';
import { checkChain, type KeyRecord, type Sent } from './chain.ts';
import { oneServer } from '../../support/side-door.ts';

/** Keys `firstId` up to, and not including, `endId`. */
export interface KeyRange {
  firstId: number;
  endId: number;
}

type Behind = Cluster['behind'];
const MAX_LINES = 20;

/** Every key's chain of changes against the ledger. A line for each fault. */
export async function checkChanges(
  behind: Behind,
  ledger: Ledger,
  range: KeyRange,
): Promise<string[]> {
  const records = await readRecords(behind, range);
  const sent = new Map<string, Sent[]>();
  for (const [mark, write] of ledger.writes) {
    const name = `${write.resource}:${write.id}`;
    const ofKey = sent.get(name) ?? [];
    ofKey.push({ mark, write });
    sent.set(name, ofKey);
    if (!records.has(name)) records.set(name, emptyRecord(write.resource, write.id));
  }
  return [...records].flatMap(([name, record]) => checkChain(record, sent.get(name) ?? []));
}

/**
 * What is not finished yet: outbox rows, dead letters, locks, intents, and entries that are not their row. Empty when
 * everything is in step again.
 */
export async function findUnfinished(behind: Behind, range: KeyRange): Promise<string[]> {
  const found: string[] = [];
  for (const table of ['lockstep_outbox', 'lockstep_invalidations', 'lockstep_dead_letters']) {
    const [row] = await behind.sql(`SELECT count(*) AS rows FROM ${table}`);
    if (row?.['rows'] !== '0') found.push(`${table} has ${row?.['rows']} rows`);
  }
  for (const [index, node] of behind.lockNodes.entries()) {
    const locks = await scanKeys(node, 'lockstep:lock:*');
    if (locks.length > 0) found.push(`lock ${index + 1} holds ${locks.slice(0, 3).join(', ')}`);
  }
  return [
    ...found,
    ...(await findDisagreements(behind, range)),
    ...(await findStaleCards(behind, range)),
  ].slice(0, MAX_LINES);
}

async function findDisagreements(behind: Behind, range: KeyRange): Promise<string[]> {
  const records = await readRecords(behind, range);
  const found: string[] = [];
  for (const resource of RESOURCE_NAMES) {
    const cacheKeys = await scanKeys(behind.cache, `${resource}:*`);
    for (let at = 0; at < cacheKeys.length; at += 500) {
      const batch = cacheKeys.slice(at, at + 500);
      const texts = await behind.cache.mget(...batch);
      for (const [index, cacheKey] of batch.entries()) {
        const text = texts[index] ?? null;
        const id = Number(cacheKey.slice(resource.length + 1));
        if (text === null || id < range.firstId || id >= range.endId) continue;
        const record = records.get(cacheKey) ?? emptyRecord(resource, id);
        const fault = disagreement(decodeEntry(text), record);
        if (fault !== null) found.push(`${cacheKey}: ${fault}`);
      }
    }
  }
  return found;
}

/** Computed values that are cached and not what their rows say. */
async function findStaleCards(behind: Behind, range: KeyRange): Promise<string[]> {
  const records = await readRecords(behind, range);
  const found: string[] = [];
  for (const cacheKey of await scanKeys(behind.cache, 'card:*')) {
    const id = Number(cacheKey.slice('card:'.length));
    if (id < range.firstId || id >= range.endId) continue;
    const entry = await behind.entry(cacheKey);
    if (entry?.state !== 'value') continue;
    const card = entry.row?.['value'];
    if (!isJsonObject(card)) {
      found.push(`${cacheKey} holds no card`);
      continue;
    }
    for (const source of CARD_SOURCES) {
      const version = records.get(`${source}:${id}`)?.version ?? 0;
      if (Number(card[source]) !== version)
        found.push(`${cacheKey} has version ${Number(card[source])} of a ${source} at ${version}`);
    }
  }
  return found;
}

function disagreement(entry: Entry | CorruptEntry, { row, version }: KeyRecord): string | null {
  switch (entry.state) {
    case 'lease':
    case 'tombstone':
      return null;
    case 'intent':
      return 'an intent is still there';
    case 'corrupt':
      return `corrupt: ${entry.reason}`;
    case 'value': {
      const cached = entry.row === null ? null : Number(entry.row['n']);
      const isSame =
        cached === (row?.n ?? null) && (entry.row?.['writer'] ?? null) === (row?.writer ?? null);
      if (isSame && entry.version === (version ?? 0)) return null;
      return `version ${entry.version} with ${cached} is cached, version ${version ?? 0} with ${row?.n ?? null} is in the database`;
    }
  }
}

async function readRecords(
  behind: Behind,
  { firstId, endId }: KeyRange,
): Promise<Map<string, KeyRecord>> {
  const records = new Map<string, KeyRecord>();
  for (const resource of RESOURCE_NAMES) {
    const { table } = FAULT_RESOURCES[resource];
    const recordOf = (id: string | null | undefined): KeyRecord => {
      const name = `${resource}:${id}`;
      const record = records.get(name) ?? emptyRecord(resource, Number(id));
      records.set(name, record);
      return record;
    };
    const changes = await behind.sql(
      'SELECT id, n, writer FROM changes WHERE table_name = ? AND id >= ? AND id < ? ORDER BY seq',
      [table, firstId, endId],
    );
    for (const { id, n, writer } of changes)
      recordOf(id).changes.push({ n: n === null ? null : Number(n), writer: writer ?? null });
    const rows = await behind.sql(`SELECT id, n, writer FROM ${table} WHERE id >= ? AND id < ?`, [
      firstId,
      endId,
    ]);
    for (const { id, n, writer } of rows) recordOf(id).row = { n: Number(n), writer: writer ?? '' };
    const versions = await behind.sql(
      'SELECT key, version FROM lockstep_keys WHERE resource = ? AND key::bigint >= ? AND key::bigint < ?',
      [resource, firstId, endId],
    );
    for (const { key, version } of versions) recordOf(key).version = Number(version);
  }
  return records;
}

const emptyRecord = (resource: FaultResource, id: number): KeyRecord => ({
  resource,
  id,
  changes: [],
  row: null,
  version: null,
});

async function scanKeys(redis: Behind['cache'], pattern: string): Promise<string[]> {
  const found = new Set<string>();
  for await (const keys of oneServer(redis).scanStream({ match: pattern, count: 1_000 }))
    for (const key of keys as string[]) found.add(key);
  return [...found];
}
