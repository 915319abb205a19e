/**
 * The audits of this instance: scheduled and on demand, their findings, and the repair of single findings.
 *
 * States of a run, in the database: running -> done | failed. A run whose instance died stays `running` until the next
 * run of its resource begins and stores it as failed.
 *
 * Invariant: one audit of a resource runs at a time in the whole cluster, by the leader of a job with the resource's name.
 */
import type { AuditReport, AuditRunSummary, Finding, RepairRule } from '@lockstep/shared';
import type { EntryScanner, EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import {
  keyFromText,
  LockstepError,
  type Resource,
  type Telemetry,
  toLockstepError,
} from '../domain/index.ts';
import {
  type Leadership,
  type LeadershipTerm,
  ScheduledJobs,
  type ScheduledJobSpec,
} from '../jobs/index.ts';
import type { ReadService } from '../reads/port.ts';
import type { Runtime } from '../runtime/index.ts';
import type { RecoveryService } from '../writes/port.ts';
import { isStillThere } from './finding.ts';
import { observe, type Observation } from './observation.ts';
import { AuditOverview } from './overview.ts';
import type { AuditService, FindingFilter } from './port.ts';
import { repair } from './repair.ts';
import { noCounts, runAudit, type RunPorts } from './run.ts';
import type { HotKeys } from './sampling.ts';
import type { AuditStore } from './store.ts';

/** Rule of a resource that is audited on demand only. */
const DEFAULT_RULE = { sample: 500, graceMs: 2_000, repair: 'report' } as const;
const MAX_SAMPLE = 10_000;
const MAX_LISTED = 1_000;
/** How long an audit on demand waits for one that runs. */
const DEMAND_WAIT_MS = 60_000;
const KEPT = { findings: 10_000, runs: 1_000 } as const;

export interface AuditServiceOptions {
  store: AuditStore;
  leadership: Leadership;
  entries: Pick<EntryStore, 'readMany' | 'ttlMs' | 'invalidateIfUnchanged'>;
  scanner: Pick<EntryScanner, 'sample'>;
  rows: Pick<RowStore, 'readMany' | 'sampleKeys' | 'recentKeys'>;
  reads: ReadService;
  recovery: RecoveryService;
  resources: ReadonlyMap<string, Resource>;
  hotKeys: HotKeys;
  telemetry: Telemetry;
  runtime: Runtime;
}

/** Creates the audits; scheduled ones run from `start` on. */
export function createAuditService(options: AuditServiceOptions): AuditService {
  return new Audits(options);
}

interface RunRequest {
  trigger: AuditRunSummary['trigger'];
  sample?: number;
  repair?: RepairRule;
}

class Audits implements AuditService {
  readonly #store: AuditStore;
  readonly #runtime: Runtime;
  readonly #resources: ReadonlyMap<string, Resource>;
  readonly #ports: RunPorts;
  readonly #leadership: Leadership;
  readonly #scheduled: ScheduledJobs;
  readonly #overview: AuditOverview;
  /** Runs on demand in flight. */
  readonly #onDemand = new Set<Promise<unknown>>();
  #stopping = new AbortController();

  constructor(options: AuditServiceOptions) {
    const { store, leadership, runtime, resources, entries, rows, scanner, hotKeys } = options;
    this.#store = store;
    this.#runtime = runtime;
    this.#resources = resources;
    const { reads, recovery, telemetry } = options;
    this.#ports = {
      store,
      observation: { entries, rows },
      sampling: { rows, scanner, hotKeys },
      repair: { entries, reads, recovery, telemetry, runtime },
    };
    this.#leadership = leadership;
    this.#scheduled = new ScheduledJobs(jobsOf(resources.values()), {
      nameOf: ({ name }) => name,
      run: (resource, term) => this.#run(term, resource, { trigger: 'schedule' }),
      onFailure: (resource, error) => this.#warn(resource, error),
      ...{ leadership, runtime },
    });
    this.#overview = new AuditOverview(store, runtime, resources);
  }

  start(): void {
    this.#stopping = new AbortController();
    this.#scheduled.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#scheduled.stop();
    await Promise.allSettled(this.#onDemand);
  }

  async run(resource: Resource, request: RunRequest): Promise<AuditReport> {
    const term = await this.#leadership.whenFree({
      ...{ job: resource.name, noun: 'audit', resource: resource.name },
      ...{ waitMs: DEMAND_WAIT_MS, signal: this.#stopping.signal },
    });
    const running = this.#run(term, resource, request).finally(() => term.end());
    this.#onDemand.add(running);
    return running.finally(() => this.#onDemand.delete(running));
  }

  async resourcesChanged(): Promise<void> {
    this.#overview.resourcesChanged();
    await this.#scheduled.replace(jobsOf(this.#resources.values()));
  }

  runs(filter: { resource?: string; limit: number }): Promise<AuditRunSummary[]> {
    return this.#store.runs({ ...filter, limit: bounded(filter.limit, MAX_LISTED) });
  }

  findings(filter: FindingFilter): Promise<{ findings: Finding[]; next: string | null }> {
    return this.#store.findings({ ...filter, limit: bounded(filter.limit, MAX_LISTED) });
  }

  async repairFinding(id: string, rule: 'delete' | 'refresh'): Promise<Finding> {
    const finding = await this.#store.findFinding(id);
    if (finding === null) throw new LockstepError('NOT_FOUND', 'There is no such finding.');
    if (finding.status === 'repaired' || finding.status === 'superseded') return finding;
    const { observation, drift } = await this.#observeAgain(finding);
    if (drift === null) {
      await this.#store.settleFinding(id, 'superseded', null);
    } else {
      const outcome = await repair(this.#ports.repair, observation, drift, rule);
      const error = outcome.status === 'failed' ? outcome.error.message : null;
      await this.#store.settleFinding(id, outcome.status, { rule, error });
    }
    this.#overview.refresh();
    return (await this.#store.findFinding(id)) ?? finding;
  }

  async overview(): ReturnType<AuditService['overview']> {
    return { ...(await this.#overview.get()), next: this.#scheduled.next() };
  }

  /** Looks at the finding's key now; `drift` is null where it agrees, is being written, or has changed since. */
  async #observeAgain(
    finding: Finding,
  ): Promise<{ observation: Observation; drift: Finding['class'] | null }> {
    const resource = this.#resources.get(finding.resource);
    if (resource === undefined) {
      const text = `The resource ${finding.resource} is not configured any more.`;
      throw new LockstepError('UNKNOWN_RESOURCE', text);
    }
    const candidate = { key: keyFromText(resource, finding.key), from: finding.sampledFrom };
    const [observation] = await observe(this.#ports.observation, resource, [candidate]);
    if (observation === undefined) throw new LockstepError('INTERNAL', 'A key was not observed.');
    const { comparison } = observation;
    const isDrift = comparison !== 'agrees' && comparison !== 'being-written';
    return {
      observation,
      drift: isDrift && isStillThere(finding, observation) ? comparison : null,
    };
  }

  #warn({ name: resource }: Resource, error: unknown): void {
    const { code, message, logLevel } = toLockstepError(error);
    const fields = { resource, code, ...(logLevel === 'error' ? { err: error } : {}) };
    this.#runtime.log.warn(fields, `a scheduled audit failed: ${message}`);
  }

  async #run(term: LeadershipTerm, resource: Resource, request: RunRequest): Promise<AuditReport> {
    try {
      return await this.#execute(term, resource, request);
    } finally {
      this.#overview.refresh();
    }
  }

  async #execute(
    term: LeadershipTerm,
    resource: Resource,
    { trigger, sample, repair: asked }: RunRequest,
  ): Promise<AuditReport> {
    const { signal } = this.#stopping;
    const configured = resource.audit ?? DEFAULT_RULE;
    const rule = asked ?? configured.repair;
    const runId = await this.#store.beginRun({ resource: resource.name, trigger, repair: rule });
    this.#overview.refresh();
    const counts = noCounts();
    const assertMayGoOn = (): void => {
      if (signal.aborted) throw new LockstepError('SHUTTING_DOWN', 'The instance was stopped.');
      term.assertLeading();
    };
    const { graceMs } = configured;
    const size = bounded(sample ?? configured.sample, MAX_SAMPLE);
    try {
      const options = { runId, sample: size, graceMs, rule, signal, assertMayGoOn };
      await runAudit(this.#ports, resource, options, counts);
    } catch (error) {
      const { message } = toLockstepError(error);
      await this.#store.endRun(runId, counts, message).catch((cause: unknown) => {
        // The next run of the resource ends it.
        this.#runtime.log.debug({ err: cause }, 'a failed audit could not be ended');
      });
      throw error;
    }
    await this.#store.endRun(runId, counts, null);
    await this.#prune();
    return { resource: resource.name, ...counts, runId };
  }

  async #prune(): Promise<void> {
    try {
      await this.#store.prune(KEPT);
    } catch (error) {
      this.#runtime.log.warn(
        { err: error },
        'old audits could not be removed; the next run tries again',
      );
    }
  }
}

const jobsOf = (resources: Iterable<Resource>): ScheduledJobSpec[] =>
  [...resources].flatMap((resource) =>
    resource.audit === null ? [] : [{ resource, when: resource.audit.when }],
  );

const bounded = (wanted: number, most: number): number =>
  Math.max(1, Math.min(Math.floor(wanted), most));
