/**
 * What the live stream knows of the cluster: this instance's snapshot, those of the others, and the series of the last hour.
 *
 * Once a second `tick` closes this instance's second and adds a point to the series, whether anybody watches or not.
 * Everything else is gathered only while somebody watches, through this instance (`viewers`) or another.
 */
import type {
  AuditEvent,
  LiveEvents,
  MetricsPoint,
  NodeStatus,
  OutboxEvent,
  TtlEvent,
} from '@lockstep/shared';
import { LastKnown, SeriesRing } from '../metrics/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { ClusterView } from './cluster-view.ts';
import {
  mergeContention,
  mergeLocks,
  mergeMetrics,
  mergeNodes,
  mergeTotals,
  newestTtl,
} from './merge.ts';
import {
  takeDetails,
  takeSecond,
  type InstanceSnapshot,
  type LiveSources,
  type SnapshotDetails,
} from './instance-snapshot.ts';

/** Seconds between two reads of the database's facts while nobody watches: the series needs them. */
const UNWATCHED_REFRESH_TICKS = 5;
/** Window of the consistency in a point of the series. */
const CONSISTENCY_WINDOW_MS = 5 * 60_000;

/** Events for one viewer; their series starts after the point that the viewer has already. */
export interface ViewerEvents {
  events: LiveEvents;
  /** End of the newest point in it, in ms. */
  seriesUntilMs: number;
}

export interface LiveStateOptions {
  sources: LiveSources;
  instance: string;
  runtime: Runtime;
  /** Whether the other instances can be heard now; null if this one never hears of others. */
  clusterConnected: () => boolean | null;
}

export class LiveState {
  readonly cluster: ClusterView;
  readonly #options: LiveStateOptions;
  readonly #ring = new SeriesRing();
  readonly #audit: LastKnown<Omit<AuditEvent, 'atMs'>>;
  readonly #outbox: LastKnown<Omit<OutboxEvent, 'atMs'>>;
  #ticks = 0;
  #own: InstanceSnapshot;
  #now: MetricsPoint;

  constructor(options: LiveStateOptions) {
    const { sources, runtime } = options;
    this.#options = options;
    this.cluster = new ClusterView(runtime.clock);
    this.#audit = new LastKnown('audit', () => sources.audit(), runtime);
    this.#outbox = new LastKnown('outbox', () => sources.outbox(), runtime);
    this.#own = this.#takeOwn(0);
    this.#now = this.#merge();
  }

  /** Closes the running second and returns this instance's snapshot, for the others. */
  tick(viewers: number): InstanceSnapshot {
    const isWatched = viewers > 0 || this.cluster.isWatched;
    if (isWatched || this.#ticks % UNWATCHED_REFRESH_TICKS === 0) this.#refreshFacts();
    this.#ticks++;
    this.#own = this.#takeOwn(viewers, isWatched);
    this.#now = this.#merge();
    this.#ring.add(this.#now);
    return this.#own;
  }

  /** This instance's present snapshot with details, for an instance that has its first viewer. */
  snapshotNow(viewers: number): InstanceSnapshot {
    const { sources, instance } = this.#options;
    this.#own = { ...this.#own, viewers, details: takeDetails(sources, instance) };
    return this.#own;
  }

  /** All events, for a viewer that has the series up to `seriesAfterMs` (0: none of it). */
  eventsAfter(seriesAfterMs: number): ViewerEvents {
    const atMs = this.#options.runtime.clock.wallMs();
    const own = this.#ownDetails();
    const others = this.cluster.present();
    const details = [own, ...others.flatMap((part) => part.details ?? [])];
    return {
      seriesUntilMs: this.#ring.newestMs,
      events: {
        metrics: {
          atMs,
          now: this.#now,
          series: this.#ring.since(seriesAfterMs),
          totals: mergeTotals([this.#own.totals, ...this.cluster.totals()]),
        },
        locks: mergeLocks(
          details.map(({ locks }) => locks),
          atMs,
        ),
        contention: mergeContention(
          details.map(({ contention }) => contention),
          atMs,
        ),
        ttl: newestTtl(
          own.ttl,
          details.map(({ ttl }): TtlEvent => ttl),
        ),
        audit: { ...NO_AUDIT, ...this.#audit.known?.value, atMs: this.#audit.known?.atMs ?? atMs },
        outbox: {
          ...NO_OUTBOX,
          ...this.#outbox.known?.value,
          atMs: this.#outbox.known?.atMs ?? atMs,
        },
        nodes: { atMs, nodes: this.#nodes(details.map(({ nodes }) => nodes)) },
      },
    };
  }

  /** Reads audits and outbox from the database; waits up to `timeoutMs` if they have never been read. */
  async firstFacts(timeoutMs: number): Promise<void> {
    if (this.#audit.known !== null && this.#outbox.known !== null) return this.#refreshFacts();
    await Promise.all([this.#audit.refreshed(timeoutMs), this.#outbox.refreshed(timeoutMs)]);
  }

  #refreshFacts(): void {
    this.#audit.refresh();
    this.#outbox.refresh();
  }

  #takeOwn(viewers: number, withDetails = false): InstanceSnapshot {
    const { sources, instance, runtime } = this.#options;
    return {
      ...takeSecond(sources, instance, runtime.clock),
      viewers,
      details: withDetails ? takeDetails(sources, instance) : null,
    };
  }

  /** Details of the running second, or new ones if nobody watched when it began. */
  #ownDetails(): SnapshotDetails {
    const { sources, instance } = this.#options;
    return this.#own.details ?? takeDetails(sources, instance);
  }

  #merge(): MetricsPoint {
    const audit = this.#audit.known?.value;
    return mergeMetrics(
      [this.#own, ...this.cluster.present()],
      {
        outboxDepth: this.#outbox.known?.value.depth ?? 0,
        consistency: audit === undefined ? null : worstShare(audit.consistency),
      },
      this.#options.runtime.clock.wallMs(),
    );
  }

  #nodes(views: readonly (readonly NodeStatus[])[]): NodeStatus[] {
    const nodes = [...mergeNodes(views), ...this.cluster.missing()];
    if (this.#options.clusterConnected() !== false) return nodes;
    return nodes.map((node) =>
      node.kind === 'cache'
        ? { ...node, detail: `${node.detail ?? 'reconnecting'}; ${ALONE}` }
        : node,
    );
  }
}

const ALONE = 'this page shows only the coordinator that it is connected to';
const NO_AUDIT = { consistency: [], runs: [], next: [], openFindings: 0 };
const NO_OUTBOX = {
  depth: 0,
  oldestMs: null,
  deadLetters: 0,
  relayedTotal: 0,
  blocked: 'not known yet',
};

/** The worst resource's share of samples without drift over 5 minutes; null where nothing was sampled. */
function worstShare(consistency: AuditEvent['consistency']): number | null {
  let worst: number | null = null;
  for (const { windows } of consistency) {
    const share = windows.find(({ windowMs }) => windowMs === CONSISTENCY_WINDOW_MS)?.share ?? null;
    if (share !== null && (worst === null || share < worst)) worst = share;
  }
  return worst;
}
