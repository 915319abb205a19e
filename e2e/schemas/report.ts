import type { LoadReport } from './load-schema.ts';
import type { Verdict } from './judge-table.ts';
import type { Client } from './schema-folder.ts';

export interface TableReport {
  table: string;
  /** Null: it has no unique key of columns that are never null, so no resource can be made of it. */
  key: string[] | null;
  /** What `check` says of it; empty: accepted. */
  refusals: string[];
  verdict: Verdict | null;
}

export interface SchemaReport {
  name: string;
  client: Client;
  loaded: LoadReport;
  tables: TableReport[];
}

export interface Totals {
  tables: number;
  keyed: number;
  accepted: number;
  rows: number;
  changed: number;
  different: number;
  failed: number;
}

export function totalsOf(reports: readonly SchemaReport[]): Totals {
  const tables = reports.flatMap((report) => report.tables);
  const verdicts = tables.flatMap(({ verdict }) => verdict ?? []);
  const count = (of: (verdict: Verdict) => number): number =>
    verdicts.reduce((sum, verdict) => sum + of(verdict), 0);
  return {
    tables: tables.length,
    keyed: tables.filter(({ key }) => key !== null).length,
    accepted: tables.filter(({ key, refusals }) => key !== null && refusals.length === 0).length,
    rows: count(({ rows }) => rows),
    changed: count(({ changed }) => changed.length),
    different: count(({ different }) => different.length),
    failed: count(({ failed }) => failed.length),
  };
}

/** One line a table that is refused or came out wrong, and one a schema. */
export function linesOf(report: SchemaReport): string[] {
  const lines = report.tables.flatMap(linesOfTable);
  const totals = totalsOf([report]);
  const loaded =
    report.loaded.failed === 0
      ? ''
      : `; ${report.loaded.failed} statement(s) of the schema failed, first: ${report.loaded.firstFailure ?? ''}`;
  return [`${report.name} (${report.client}): ${inWords(totals)}${loaded}`, ...lines];
}

function linesOfTable({ table, key, refusals, verdict }: TableReport): string[] {
  if (key === null) return [];
  const faults = [
    ...refusals.map((refusal) => `refused: ${refusal}`),
    ...listed('changed', verdict?.changed),
    ...listed('different', verdict?.different),
    ...listed('failed', verdict?.failed),
  ];
  return faults.map((fault) => `  ${table}: ${fault}`);
}

const listed = (what: string, found: readonly string[] = []): string[] =>
  found.length === 0 ? [] : [`${what}: ${[...new Set(found)].join(', ')}`];

export function inWords(totals: Totals): string {
  const { tables, keyed, accepted, rows, changed, different, failed } = totals;
  const share = keyed === 0 ? '–' : `${((100 * accepted) / keyed).toFixed(1)}%`;
  return `${tables} tables, ${keyed} with a unique key, ${accepted} accepted (${share}); ${rows} rows: ${changed} changed, ${different} different, ${failed} failed`;
}
