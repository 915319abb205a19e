/**
 * The audits of this instance: scheduled and on demand, their findings, and the repair of single findings.
 *
 * States of a run, in the database: running -> done | failed. A run whose instance died stays `running` until the next
 * run of its resource begins and stores it as failed.
 *
 * Invariant: one audit of a resource runs at a time in the whole cluster, by the leader of a job with the resource's name.
 */
import type {
  AuditEvent,
  AuditReport,
  AuditRunSummary,
  Finding,
  RepairRule,
} from '@lockstep/shared';
import { keyFromText, LockstepError, type Resource, toLockstepError } from '../domain/index.ts';
import {
  type Leadership,
  type LeadershipTerm,
  ScheduledJobs,
  type ScheduledJobSpec,
} from '../jobs/index.ts';
import { isStillThere } from './finding.ts';
import { observe, type Observation } from './observation.ts';
import { AuditOverview } from './overview.ts';
import type { AuditPorts, FindingFilter } from './port.ts';
import { repair } from './repair.ts';
import { AuditRun } from './run.ts';
import { driftOf } from './suspects.ts';

/** Rule of a resource that is audited on demand only. */
const DEFAULT_RULE = { sample: 500, graceMs: 2_000, repair: 'report' } as const;
const MAX_SAMPLE = 10_000;
const MAX_LISTED = 1_000;
/** How long an audit on demand waits for one that runs. */
const DEMAND_WAIT_MS = 60_000;
const KEPT = { findings: 10_000, runs: 1_000 } as const;

export interface AuditsOptions extends AuditPorts {
  leadership: Leadership;
  resources: ReadonlyMap<string, Resource>;
}

interface RunRequest {
  trigger: AuditRunSummary['trigger'];
  sample?: number;
  repair?: RepairRule;
}

/** Scheduled audits run from `start` on. */
export class Audits {
  readonly #options: AuditsOptions;
  readonly #scheduled: ScheduledJobs;
  readonly #overview: AuditOverview;
  /** Runs on demand in flight. */
  readonly #onDemand = new Set<Promise<unknown>>();
  #stopping = new AbortController();

  constructor(options: AuditsOptions) {
    const { store, leadership, runtime, resources } = options;
    this.#options = options;
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

  /** Runs an audit now and waits for its end. One at a time for a resource over the whole cluster. */
  async run(resource: Resource, request: RunRequest): Promise<AuditReport> {
    const job = { job: resource.name, noun: 'audit', resource: resource.name };
    const running = this.#options.leadership.leadWhenFree(
      { ...job, waitMs: DEMAND_WAIT_MS, signal: this.#stopping.signal },
      (term) => this.#run(term, resource, request),
    );
    this.#onDemand.add(running);
    return running.finally(() => this.#onDemand.delete(running));
  }

  /** The map of resources has changed: the schedules follow it. Resolves when the runs in flight have ended. */
  async resourcesChanged(): Promise<void> {
    await this.#scheduled.replace(jobsOf(this.#options.resources.values()));
  }

  runs(filter: { resource?: string; limit: number }): Promise<AuditRunSummary[]> {
    return this.#options.store.runs({ ...filter, limit: bounded(filter.limit, MAX_LISTED) });
  }

  findings(filter: FindingFilter): Promise<{ findings: Finding[]; next: string | null }> {
    return this.#options.store.findings({ ...filter, limit: bounded(filter.limit, MAX_LISTED) });
  }

  /** @throws LockstepError `NOT_FOUND`; a finding whose key has changed meanwhile becomes `superseded` */
  async repairFinding(id: string, rule: 'delete' | 'refresh'): Promise<Finding> {
    const { store } = this.#options;
    const finding = await store.findFinding(id);
    if (finding === null) throw new LockstepError('NOT_FOUND', 'There is no such finding.');
    if (finding.status === 'repaired' || finding.status === 'superseded') return finding;
    const { observation, drift } = await this.#observeAgain(finding);
    if (drift === null) {
      await store.resolveFinding(id, 'superseded', null);
    } else {
      const outcome = await repair(this.#options, observation, drift, rule);
      const error = outcome.status === 'failed' ? outcome.error.message : null;
      await store.resolveFinding(id, outcome.status, { rule, error });
    }
    this.#overview.refresh();
    return (await store.findFinding(id)) ?? finding;
  }

  async overview(): Promise<Omit<AuditEvent, 'atMs'>> {
    return { ...(await this.#overview.get()), next: this.#scheduled.next() };
  }

  /** Looks at the finding's key now; `drift` is null where it agrees, is being written, or has changed since. */
  async #observeAgain(
    finding: Finding,
  ): Promise<{ observation: Observation; drift: Finding['class'] | null }> {
    const resource = this.#options.resources.get(finding.resource);
    if (resource === undefined) {
      const text = `The resource ${finding.resource} is not configured any more.`;
      throw new LockstepError('UNKNOWN_RESOURCE', text);
    }
    const candidate = { key: keyFromText(resource, finding.key), from: finding.sampledFrom };
    const [observation] = await observe(this.#options, resource, [candidate]);
    if (observation === undefined) throw new LockstepError('INTERNAL', 'A key was not observed.');
    const drift = isStillThere(finding, observation) ? driftOf(observation) : null;
    return { observation, drift };
  }

  #warn({ name: resource }: Resource, error: unknown): void {
    const { code, message, logLevel } = toLockstepError(error);
    const fields = { resource, code, ...(logLevel === 'error' ? { err: error } : {}) };
    this.#options.runtime.log.warn(fields, `a scheduled audit failed: ${message}`);
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
    const { store, runtime } = this.#options;
    const { signal } = this.#stopping;
    const configured = resource.audit ?? DEFAULT_RULE;
    const rule = asked ?? configured.repair;
    const runId = await store.beginRun({ resource: resource.name, trigger, repair: rule });
    this.#overview.refresh();
    const run = new AuditRun(this.#options, {
      ...{ runId, resource, graceMs: configured.graceMs, rule, signal },
      sample: bounded(sample ?? configured.sample, MAX_SAMPLE),
      assertMayGoOn: () => {
        if (signal.aborted) throw new LockstepError('SHUTTING_DOWN', 'The instance was stopped.');
        term.assertLeading();
      },
    });
    try {
      await run.run();
    } catch (error) {
      const { message } = toLockstepError(error);
      await store.endRun(runId, run.counts, message).catch((cause: unknown) => {
        // The next run of the resource ends it.
        runtime.log.debug({ err: cause }, 'a failed audit could not be ended');
      });
      throw error;
    }
    await store.endRun(runId, run.counts, null);
    await this.#prune();
    return { resource: resource.name, ...run.counts, runId };
  }

  async #prune(): Promise<void> {
    const { store, runtime } = this.#options;
    try {
      await store.prune(KEPT);
    } catch (error) {
      runtime.log.warn({ err: error }, 'old audits could not be removed; the next run tries again');
    }
  }
}

const jobsOf = (resources: Iterable<Resource>): ScheduledJobSpec[] =>
  [...resources].flatMap((resource) =>
    resource.audit === null ? [] : [{ resource, when: resource.audit.when }],
  );

const bounded = (wanted: number, most: number): number =>
  Math.max(1, Math.min(Math.floor(wanted), most));
