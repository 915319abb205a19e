import { type AuditRunSummary, type Finding, findingFilters } from '@lockstep/shared';
import type { Clock } from '../../runtime/index.ts';
import type { FindingFilter } from '../port.ts';
import type { AuditStore, NewFinding, RunCounts } from '../port.ts';

/** An audit store in memory; its clock is the runtime's. */
export class MemoryAuditStore implements AuditStore {
  readonly #clock: Clock;
  readonly #runs: AuditRunSummary[] = [];
  readonly #findings: Finding[] = [];
  #lastId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  beginRun(begun: Pick<AuditRunSummary, 'resource' | 'trigger' | 'repair'>): Promise<string> {
    const nowMs = this.#clock.wallMs();
    for (const run of this.#runs) {
      if (run.resource !== begun.resource || run.status !== 'running') continue;
      Object.assign(run, { status: 'failed', endedAtMs: nowMs, error: 'its coordinator stopped' });
    }
    const drift = { stale: 0, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 0 };
    const id = String(++this.#lastId);
    this.#runs.push({
      ...begun,
      ...{ id, status: 'running', startedAtMs: nowMs, endedAtMs: null },
      ...{ sampled: 0, drift, repaired: 0, failed: 0, error: null },
    });
    return Promise.resolve(id);
  }

  endRun(id: string, counts: RunCounts, error: string | null): Promise<void> {
    const run = this.#runs.find((each) => each.id === id);
    if (run?.status === 'running') {
      const status = error === null ? 'done' : 'failed';
      const endedAtMs = this.#clock.wallMs();
      Object.assign(run, { ...structuredClone(counts), status, error, endedAtMs });
    }
    return Promise.resolve();
  }

  runs(filter: { resource?: string; limit: number }): Promise<AuditRunSummary[]> {
    const { resource } = filter;
    const found = this.#runs.filter((run) => resource === undefined || run.resource === resource);
    return Promise.resolve(found.toReversed().slice(0, filter.limit));
  }

  recentCounts(): ReturnType<AuditStore['recentCounts']> {
    const done = this.#runs.filter(({ status }) => status === 'done');
    return Promise.resolve(
      done.map(({ resource, endedAtMs, sampled, drift }) => ({
        resource,
        agoMs: this.#clock.wallMs() - (endedAtMs ?? 0),
        sampled,
        drift: Object.values(drift).reduce((sum, count) => sum + count, 0),
      })),
    );
  }

  addFinding(finding: NewFinding): Promise<string> {
    for (const old of this.#findings) {
      const isSame = old.resource === finding.resource && old.key === finding.key;
      if (isSame && isOpen(old)) old.status = 'superseded';
    }
    const id = String(++this.#lastId);
    const foundAtMs = this.#clock.wallMs();
    this.#findings.push({ ...finding, id, foundAtMs, status: 'open', repair: null });
    return Promise.resolve(id);
  }

  resolveFinding(
    id: string,
    status: Finding['status'],
    repair: Omit<NonNullable<Finding['repair']>, 'atMs'> | null,
  ): Promise<void> {
    const finding = this.#findings.find((each) => each.id === id);
    if (finding === undefined) return Promise.resolve();
    finding.status = status;
    if (repair !== null) finding.repair = { ...repair, atMs: this.#clock.wallMs() };
    return Promise.resolve();
  }

  findFinding(id: string): Promise<Finding | null> {
    return Promise.resolve(structuredClone(this.#findings.find((each) => each.id === id) ?? null));
  }

  findings(filter: FindingFilter): Promise<{ findings: Finding[]; next: string | null }> {
    const found = this.#findings
      .toReversed()
      .filter(
        (finding) =>
          findingFilters.every(([name, { field }]) =>
            [undefined, finding[field]].includes(filter[name]),
          ) &&
          (filter.before === undefined || Number(finding.id) < Number(filter.before)),
      );
    const findings = structuredClone(found.slice(0, filter.limit));
    const next = found.length > filter.limit ? (findings.at(-1)?.id ?? null) : null;
    return Promise.resolve({ findings, next });
  }

  countOpen(): Promise<number> {
    return Promise.resolve(this.#findings.filter(isOpen).length);
  }

  openKeys(resource: string, limit: number): Promise<{ id: string; keyText: string }[]> {
    const open = this.#findings.filter((each) => each.resource === resource && isOpen(each));
    const keys = open.map(({ id, key }) => ({ id, keyText: key }));
    return Promise.resolve(keys.toReversed().slice(0, limit));
  }

  prune(keep: { findings: number; runs: number }): Promise<void> {
    this.#findings.splice(0, Math.max(0, this.#findings.length - keep.findings));
    const hourAgoMs = this.#clock.wallMs() - 3_600_000;
    const old = this.#runs.filter(({ endedAtMs }) => endedAtMs !== null && endedAtMs < hourAgoMs);
    for (const run of old.slice(0, Math.max(0, this.#runs.length - keep.runs))) {
      this.#runs.splice(this.#runs.indexOf(run), 1);
    }
    return Promise.resolve();
  }
}

const isOpen = ({ status }: Finding): boolean => status === 'open' || status === 'failed';
