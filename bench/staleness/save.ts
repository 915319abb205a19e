/** Saves a run's figures in the file that the lab, its page in the dashboard and the documentation show. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { dirname } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { repositoryPath } from '@lockstep/testkit/repository';
import type { Measured, Measurements } from '../../lab/src/measurements.ts';
import { LAB_STRATEGIES } from './contender.ts';
import type { Servers } from './servers.ts';
import type { Report, Row } from './report.ts';

export const RESULTS_PATH = 'bench/results/staleness.json';

/** The circumstances of a run, in addition to its report. */
export interface Circumstances {
  date: Date;
  command: string;
  note: string;
  servers: Measurements['servers'];
  failures: string[];
}

/** Asks the servers for their versions. */
export async function versionsOf({
  databaseUrl,
  cacheUrl,
}: Servers): Promise<Measurements['servers']> {
  const database = new pg.Client({ connectionString: databaseUrl });
  const cache = new Redis(cacheUrl);
  try {
    await database.connect();
    const { rows } = await database.query<{ server_version: string }>('SHOW server_version');
    const version = /^redis_version:(.*)$/m.exec(await cache.info('server'))?.[1]?.trim();
    return {
      database: `PostgreSQL ${rows[0]?.server_version.split(' ')[0] ?? ''}`,
      cache: `Redis ${version ?? ''}`,
    };
  } finally {
    cache.disconnect();
    await database.end();
  }
}

/** @returns the file's path within the repository */
export function save(report: Report, circumstances: Circumstances): string {
  const path = repositoryPath(RESULTS_PATH);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(measurementsOf(report, circumstances), null, 2)}\n`);
  return RESULTS_PATH;
}

export function measurementsOf(
  { requests, seed, rows }: Report,
  { date, command, note, servers, failures }: Circumstances,
): Measurements {
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? '',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
    node: process.version,
  };
  const measured = rows.map(measuredBy);
  return {
    date: date.toISOString(),
    command,
    note,
    machine,
    servers,
    requests,
    seed,
    failures,
    rows: measured,
  };
}

function measuredBy(row: Row): Measured {
  const { contender, faults, requests, reads, writeMs, databaseReads } = row;
  const { staleReads, staleAgeMs, staleForGood, lostUpdates } = row;
  return {
    contender,
    strategy: LAB_STRATEGIES[contender],
    faults,
    requests,
    reads,
    writeMs,
    databaseReads,
    staleReads,
    staleAgeMs,
    staleForGood,
    lostUpdates,
  };
}
