/**
 * The audits of this instance: scheduled and on demand, their findings, and the repair of single findings.
 *
 * A run's states are in the database: running -> done | failed. A run whose instance died stands as running until the
 * next claim of its resource's lease ends it as failed.
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
import type { ReadService } from '../reads/port.ts';
import type { Runtime } from '../runtime/index.ts';
import {
  claimLease,
  type JobLease,
  ResourceScheduler,
  type ScheduledJob,
  type ScheduledOutcome,
} from '../schedules/index.ts';
import type { RecoveryService } from '../writes/port.ts';
import { isStillThere } from './finding.ts';
import { observe, type Observation } from './observation.ts';
import { AuditOverview } from './overview.ts';
import type { AuditService, FindingFilter } from './port.ts';
import { repair } from './repair.ts';
import { noCounts, runAudit, type RunParts } from './run.ts';
import type { HotKeys } from './sampling.ts';
import type { AuditStore } from './store.ts';

/** Rule of a resource that is audited on demand only. */
const DEFAULT_RULE = { sample: 500, graceMs: 2_000, repair: 'report' } as const;
const MAX_SAMPLE = 10_000;
const MAX_LISTED = 1_000;
/** How long an audit on demand waits for one that runs. */
const DEMAND_WAIT_MS = 60_000;
const DEMAND_POLL_MS = 250;
/** Audits on demand that may wait for one resource in this process. */
const MAX_WAITING = 4;
const KEPT = { findings: 10_000, runs: 1_000 } as const;

export interface AuditServiceOptions {
  store: AuditStore;
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
  readonly #parts: RunParts;
  readonly #scheduler: ResourceScheduler;
  readonly #overview: AuditOverview;
  readonly #waiting = new Map<string, number>();
  readonly #running = new Set<Promise<unknown>>();
  #stopping = new AbortController();

  constructor(options: AuditServiceOptions) {
    const { store, runtime, resources, entries, rows, scanner, hotKeys } = options;
    this.#store = store;
    this.#runtime = runtime;
    this.#resources = resources;
    const { reads, recovery, telemetry } = options;
    this.#parts = {
      store,
      observation: { entries, rows },
      sampling: { rows, scanner, hotKeys },
      repair: { entries, reads, recovery, telemetry, runtime },
    };
    this.#scheduler = new ResourceScheduler(
      jobsOf(resources.values()),
      runtime,
      (resource, notSinceMs) => this.#runScheduled(resource, notSinceMs),
    );
    this.#overview = new AuditOverview(store, runtime, resources);
  }

  start(): void {
    this.#stopping = new AbortController();
    this.#scheduler.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#scheduler.stop();
    await Promise.allSettled(this.#running);
  }

  async run(resource: Resource, request: RunRequest): Promise<AuditReport> {
    const waiting = this.#waiting.get(resource.name) ?? 0;
    if (waiting >= MAX_WAITING) {
      const text = `${waiting} audits of ${resource.name} are waiting already.`;
      throw new LockstepError('QUEUE_FULL', text);
    }
    this.#waiting.set(resource.name, waiting + 1);
    const lease = await this.#waitForLease(resource).finally(() => {
      this.#waiting.set(resource.name, (this.#waiting.get(resource.name) ?? 1) - 1);
    });
    return this.#runUnder(lease, resource, request);
  }

  async resourcesChanged(): Promise<void> {
    this.#overview.resourcesChanged();
    await this.#scheduler.replace(jobsOf(this.#resources.values()));
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
      const outcome = await repair(this.#parts.repair, observation, drift, rule);
      const error = outcome.status === 'failed' ? outcome.error.message : null;
      await this.#store.settleFinding(id, outcome.status, { rule, error });
    }
    this.#overview.refresh();
    return (await this.#store.findFinding(id)) ?? finding;
  }

  async overview(): ReturnType<AuditService['overview']> {
    return { ...(await this.#overview.get()), next: this.#scheduler.next() };
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
    const [observation] = await observe(this.#parts.observation, resource, [candidate]);
    if (observation === undefined) throw new LockstepError('INTERNAL', 'A key was not observed.');
    const { verdict } = observation;
    const isDrift = verdict !== 'agrees' && verdict !== 'being-written';
    return { observation, drift: isDrift && isStillThere(finding, observation) ? verdict : null };
  }

  async #waitForLease(resource: Resource): Promise<JobLease> {
    const { clock, timers } = this.#runtime;
    const { signal } = this.#stopping;
    const deadlineMs = clock.nowMs() + DEMAND_WAIT_MS;
    for (;;) {
      if (signal.aborted) throw new LockstepError('SHUTTING_DOWN', 'This instance is stopping.');
      const { lease } = await claimLease(this.#store, this.#runtime, resource.name, null);
      if (lease !== null) return lease;
      if (clock.nowMs() >= deadlineMs) {
        const text = `Another audit of ${resource.name} is running.`;
        throw new LockstepError('LOCK_TIMEOUT', text, { retryAfterMs: 5_000 });
      }
      await timers.sleep(DEMAND_POLL_MS, signal);
    }
  }

  async #runScheduled(resource: Resource, notSinceMs: number): Promise<ScheduledOutcome> {
    let hasBegun = false;
    try {
      const claim = await claimLease(this.#store, this.#runtime, resource.name, notSinceMs);
      if (claim.lease === null) return { status: 'refused', retryInMs: claim.retryInMs };
      hasBegun = true;
      await this.#runUnder(claim.lease, resource, { trigger: 'schedule' });
      return { status: 'ran' };
    } catch (error) {
      const { code, message, logLevel } = toLockstepError(error);
      const fields = {
        resource: resource.name,
        code,
        ...(logLevel === 'error' ? { err: error } : {}),
      };
      this.#runtime.log.warn(fields, `a scheduled audit failed: ${message}`);
      return hasBegun ? { status: 'ran' } : { status: 'not-begun' };
    }
  }

  async #runUnder(lease: JobLease, resource: Resource, request: RunRequest): Promise<AuditReport> {
    const running = this.#execute(lease, resource, request).finally(() => lease.release());
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
      this.#overview.refresh();
    }
  }

  async #execute(
    lease: JobLease,
    resource: Resource,
    { trigger, sample, repair: asked }: RunRequest,
  ): Promise<AuditReport> {
    const { signal } = this.#stopping;
    const configured = resource.audit ?? DEFAULT_RULE;
    const rule = asked ?? configured.repair;
    const runId = await this.#store.beginRun({ resource: resource.name, trigger, repair: rule });
    this.#overview.refresh();
    const counts = noCounts();
    const assertHeld = (): void => {
      if (signal.aborted) throw new LockstepError('SHUTTING_DOWN', 'The instance was stopped.');
      lease.assertHeld();
    };
    const { graceMs } = configured;
    const size = bounded(sample ?? configured.sample, MAX_SAMPLE);
    try {
      const options = { runId, sample: size, graceMs, rule, signal, assertHeld };
      await runAudit(this.#parts, resource, options, counts);
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

const jobsOf = (resources: Iterable<Resource>): ScheduledJob[] =>
  [...resources].flatMap((resource) =>
    resource.audit === null ? [] : [{ resource, when: resource.audit.when }],
  );

const bounded = (wanted: number, most: number): number =>
  Math.max(1, Math.min(Math.floor(wanted), most));
