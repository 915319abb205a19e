/**
 * Positions of MySQL and MariaDB: global transaction ids. The rank is the number of transactions, which grows with each
 * one. Whether a replica has reached a position is decided by the ids.
 */
import { detailOf, logPosition } from '../../domain/index.ts';
import { statementsOf } from '../../database/index.ts';
import type { PositionDialect, ReplicaDialect } from '../../replicas/index.ts';
import statements from './sql/replica-positions.sql?raw';

const SQL = statementsOf('mysql2', statements, [
  'mariadb-identity',
  'mariadb-primary',
  'mariadb-replica',
  'mysql-identity',
  'mysql-position',
  'read-version',
]);

/**
 * A replica that was copied from its primary may have the same identity. Replication between them does not work then.
 */
const identityFault = (primary: string, replica: string): string | null =>
  primary === replica ? 'it is the primary itself, or has its server id' : null;

/** MariaDB: the last id of each domain, `0-1-270,1-1-5`. */
export const mariaDbPositions: PositionDialect = {
  primary: SQL['mariadb-primary'],
  replica: SQL['mariadb-replica'],
  identity: SQL['mariadb-identity'],
  parse: (text) => {
    const domains = domainsOf(text);
    if (domains === null) return null;
    return logPosition(
      [...domains.values()].reduce((sum, sequence) => sum + sequence, 0n),
      text,
    );
  },
  hasReached: (text, needed) => {
    const at = domainsOf(text);
    const least = domainsOf(detailOf(needed));
    if (at === null || least === null) return false;
    return [...least].every(([domain, sequence]) => (at.get(domain) ?? -1n) >= sequence);
  },
  // The replica may follow other primaries too, in other domains.
  isAhead: (text, primary) => {
    const ofPrimary = domainsOf(detailOf(primary));
    return [...(domainsOf(text) ?? [])].some(
      ([domain, sequence]) => sequence > (ofPrimary?.get(domain) ?? sequence),
    );
  },
  identityFault,
};

/** MySQL: a set of ids, `SOURCE:1-270:300,SOURCE:TAG:1-5`. */
export const mysqlPositions: PositionDialect = {
  primary: SQL['mysql-position'],
  replica: SQL['mysql-position'],
  identity: SQL['mysql-identity'],
  parse: (text) => {
    const set = gtidSetOf(text);
    if (set === null) return null;
    const intervals = [...set.values()].flat();
    return logPosition(
      intervals.reduce((sum, { from, to }) => sum + to - from + 1n, 0n),
      text,
    );
  },
  hasReached: (text, needed) => {
    const at = gtidSetOf(text);
    const least = gtidSetOf(detailOf(needed));
    if (at === null || least === null) return false;
    return [...least].every(([source, intervals]) =>
      intervals.every((one) => (at.get(source) ?? []).some((other) => holds(other, one))),
    );
  },
  // Each id names its server, so another primary's ids cannot be mistaken for this one's.
  isAhead: () => false,
  identityFault,
};

export const mysqlReplicas: ReplicaDialect = {
  async positions(sql) {
    const { rows } = await sql.run(SQL['read-version']);
    return /mariadb/i.test(rows[0]?.version ?? '') ? mariaDbPositions : mysqlPositions;
  },
  primaryNeeds: 'log_bin, and gtid_mode=ON on MySQL',
};

function domainsOf(text: string): Map<string, bigint> | null {
  const domains = new Map<string, bigint>();
  for (const id of text.split(',')) {
    const [, domain, sequence] = /^(\d{1,10})-\d{1,10}-(\d{1,20})$/.exec(id) ?? [];
    if (domain === undefined || sequence === undefined) return null;
    domains.set(domain, BigInt(sequence));
  }
  return domains;
}

interface Interval {
  from: bigint;
  to: bigint;
}

/** By source, including its tag if there is one. */
function gtidSetOf(text: string): Map<string, Interval[]> | null {
  const set = new Map<string, Interval[]>();
  for (const part of text.split(',')) {
    const [source = '', ...rest] = part.toLowerCase().split(':');
    if (!/^[0-9a-f-]{36}$/.test(source) || rest.length === 0) return null;
    let name = source;
    for (const piece of rest) {
      const [, from, to] = /^(\d{1,20})(?:-(\d{1,20}))?$/.exec(piece) ?? [];
      if (from === undefined) name = `${source}:${piece}`;
      else set.set(name, [...(set.get(name) ?? []), interval(from, to ?? from)]);
    }
  }
  return set;
}

const interval = (from: string, to: string): Interval => ({ from: BigInt(from), to: BigInt(to) });

const holds = (outer: Interval, inner: Interval): boolean =>
  outer.from <= inner.from && outer.to >= inner.to;
