import { type AuditRunSummary, type Finding, findingFilters } from '@lockstep/shared';
import { readStatements, type SqlRunner } from '../database/index.ts';
import { LockstepError } from '../domain/index.ts';
import type { SampleCount } from './consistency.ts';
import { bindingsOf, findingOfRow } from './finding.ts';
import type { AuditStore, FindingFilter, NewFinding, RunCounts } from './port.ts';
import { numberOf, runOf, textOf } from './stored-rows.ts';
import auditsSql from './sql/audits.sql?raw';

const SQL = readStatements({ name: 'audits', shared: auditsSql }, [
  'fail-abandoned-runs',
  'begin-run',
  'end-run',
  'list-runs',
  'recent-counts',
  'supersede-open',
  'add-finding',
  'resolve-finding',
  'find-finding',
  'list-findings',
  'count-open',
  'list-open-keys',
  'prune-findings',
  'prune-runs',
]);

const MAX_ERROR_LENGTH = 1_000;
const ABANDONED = 'its coordinator stopped before the run had ended';

/** The audits' store in the database. */
export class SqlAuditStore implements AuditStore {
  readonly #sql: SqlRunner;

  constructor(sql: SqlRunner) {
    this.#sql = sql;
  }

  async beginRun(run: Parameters<AuditStore['beginRun']>[0]): Promise<string> {
    await this.#sql.run(SQL['fail-abandoned-runs'], { resource: run.resource, error: ABANDONED });
    return this.#insert(SQL['begin-run'], run);
  }

  async endRun(id: string, counts: RunCounts, error: string | null): Promise<void> {
    const { sampled, drift, repaired, failed } = counts;
    await this.#sql.run(SQL['end-run'], {
      id,
      status: error === null ? 'done' : 'failed',
      sampled,
      stale: drift.stale,
      orphan: drift.orphan,
      negativeStale: drift['negative-stale'],
      corrupt: drift.corrupt,
      noTtl: drift['no-ttl'],
      repaired,
      failed,
      error: bounded(error),
    });
  }

  async runs(filter: { resource?: string; limit: number }): Promise<AuditRunSummary[]> {
    const { resource = null, limit } = filter;
    const { rows } = await this.#sql.run(SQL['list-runs'], { resource, limit });
    return rows.map(runOf);
  }

  async recentCounts(): Promise<(SampleCount & { resource: string })[]> {
    const { rows } = await this.#sql.run(SQL['recent-counts']);
    return rows.map((row) => ({
      resource: textOf(row, 'resource'),
      agoMs: Math.max(0, numberOf(row, 'ago_ms')),
      sampled: numberOf(row, 'sampled'),
      drift: numberOf(row, 'drift'),
    }));
  }

  async addFinding(finding: NewFinding): Promise<string> {
    const { resource, key } = finding;
    await this.#sql.run(SQL['supersede-open'], { resource, key });
    return this.#insert(SQL['add-finding'], bindingsOf(finding));
  }

  async resolveFinding(
    ...[id, status, repair]: Parameters<AuditStore['resolveFinding']>
  ): Promise<void> {
    if (!isId(id)) return;
    const error = bounded(repair?.error ?? null);
    await this.#sql.run(SQL['resolve-finding'], { id, status, rule: repair?.rule ?? null, error });
  }

  async findFinding(id: string): Promise<Finding | null> {
    if (!isId(id)) return null;
    const { rows } = await this.#sql.run(SQL['find-finding'], { id });
    return rows[0] === undefined ? null : findingOfRow(rows[0]);
  }

  async findings(filter: FindingFilter): Promise<{ findings: Finding[]; next: string | null }> {
    const { limit, run, before = null } = filter;
    // No finding has an id that is not a number.
    if ((run !== undefined && !isId(run)) || (before !== null && !isId(before))) {
      return { findings: [], next: null };
    }
    const wanted = Object.fromEntries(findingFilters.map(([name]) => [name, filter[name] ?? null]));
    const bindings = { ...wanted, before, limit: limit + 1 };
    const { rows } = await this.#sql.run(SQL['list-findings'], bindings);
    const findings = rows.slice(0, limit).map(findingOfRow);
    const next = rows.length > limit ? (findings.at(-1)?.id ?? null) : null;
    return { findings, next };
  }

  async countOpen(): Promise<number> {
    const { rows } = await this.#sql.run(SQL['count-open']);
    return rows[0] === undefined ? 0 : numberOf(rows[0], 'open');
  }

  async openKeys(resource: string, limit: number): Promise<{ id: string; keyText: string }[]> {
    const { rows } = await this.#sql.run(SQL['list-open-keys'], { resource, limit });
    return rows.map((row) => ({ id: textOf(row, 'id'), keyText: textOf(row, 'key_text') }));
  }

  async prune(keep: { findings: number; runs: number }): Promise<void> {
    await this.#sql.run(SQL['prune-findings'], { keep: keep.findings });
    await this.#sql.run(SQL['prune-runs'], { keep: keep.runs });
  }

  async #insert(...insert: Parameters<SqlRunner['run']>): Promise<string> {
    const { rows, insertId } = await this.#sql.run(...insert);
    const id = rows[0]?.id ?? insertId;
    if (id === null) throw new LockstepError('INTERNAL', 'The database gave a row no id.');
    return id;
  }
}

const isId = (text: string): boolean => /^\d{1,18}$/.test(text);
const bounded = (error: string | null): string | null =>
  error === null ? null : error.replaceAll('\0', '').slice(0, MAX_ERROR_LENGTH);
