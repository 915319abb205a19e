import { Gauge, type Registry } from 'prom-client';
import type {
  AuditEvent,
  NodeStatus,
  OutboxEvent,
  RefreshStatus,
  RolloutReport,
} from '@lockstep/shared';
import type { Runtime } from '../runtime/index.ts';
import { LastKnown } from './last-known.ts';

/** What `/metrics` reads at the moment of a scrape, by its source. */
interface Answers {
  locks: { held: readonly unknown[]; waiting: readonly { waiting: number }[] };
  /** Leases that are held here, by resource. */
  leases: ReadonlyMap<string, number>;
  /** How many guards are held here. */
  guards: number;
  outbox: Pick<OutboxEvent, 'depth' | 'oldestMs' | 'deadLetters'>;
  audit: Pick<AuditEvent, 'consistency' | 'openFindings'>;
  nodes: readonly NodeStatus[];
  refreshes: readonly RefreshStatus[];
  replicas: readonly { name: string; lagMs: number | null }[];
  /** Live members, this one among them. */
  members: number;
  /** Error replies of the cache since the start, by their first word. */
  cacheRefusals: ReadonlyMap<string, number>;
  changeLog: { state: string; lagMs: number | null; sweeps: number; retainedBytes: number | null };
  /** Of the resources in `rollout: shadow`. */
  shadow: readonly Pick<RolloutReport, 'resource' | 'staleNow' | 'staleReads'>[];
}
type Source = keyof Answers;

/** Each may be slow or fail: its last answer then stands. */
export type GaugeSources = { [Name in Source]?: () => Answers[Name] | Promise<Answers[Name]> };

/** Longest that a scrape waits for one source. */
const SOURCE_TIMEOUT_MS = 500;
const NODE_VALUES = { up: 1, slow: 0.5, down: 0 };

/**
 * How the values of several workers become one. `sum`: each has its own. `max` and `min`: all mean the same thing, which
 * each may have read at another moment; the worse one is shown.
 */
type AcrossWorkers = 'sum' | 'max' | 'min';

/**
 * A gauge: its name after `lockstep_`, its help text, its labels, its rule across workers, and how its values are set
 * from the answer.
 */
type GaugeRow<Answer> = readonly [
  name: string,
  help: string,
  labelNames: string[],
  across: AcrossWorkers,
  set: (gauge: Gauge, answer: Answer, nowMs: number) => void,
];

const GAUGES: { [Name in Source]: readonly GaugeRow<Answers[Name]>[] } = {
  locks: [
    ['locks_held', 'Keys that this instance holds', [], 'sum', (g, { held }) => g.set(held.length)],
    [
      'lock_waiters',
      'Callers that wait for a key in this instance',
      [],
      'sum',
      (g, locks) => g.set(locks.waiting.reduce((sum, { waiting }) => sum + waiting, 0)),
    ],
  ],
  leases: [
    [
      'leases',
      'Leases of callers that this instance holds',
      ['resource'],
      'sum',
      (g, leases) => leases.forEach((count, resource) => g.set({ resource }, count)),
    ],
  ],
  guards: [
    [
      'guards_held',
      'Guards that callers hold of this instance for transactions of their own',
      [],
      'sum',
      (g, guards) => g.set(guards),
    ],
  ],
  outbox: [
    ['outbox_depth', 'Cache steps still to be done', [], 'max', (g, { depth }) => g.set(depth)],
    [
      'outbox_oldest_age_seconds',
      'Age of the oldest cache step still to be done',
      [],
      'max',
      (g, { oldestMs }) => g.set((oldestMs ?? 0) / 1_000),
    ],
    [
      'outbox_dead_letters',
      'Outbox rows given up that need an operator',
      [],
      'max',
      (g, { deadLetters }) => g.set(deadLetters),
    ],
  ],
  audit: [
    [
      'audit_open_findings',
      'Findings of drift not repaired',
      [],
      'max',
      (g, { openFindings }) => g.set(openFindings),
    ],
    [
      'consistency_ratio',
      'Share of audited samples without drift',
      ['resource', 'window_seconds'],
      'min',
      (g, { consistency }) => {
        for (const { resource, windows } of consistency) {
          for (const { windowMs, share } of windows) {
            if (share === null) continue;
            g.set({ resource, window_seconds: String(windowMs / 1_000) }, share);
          }
        }
      },
    ],
  ],
  changeLog: [
    [
      'changelog_up',
      'Whether the change log is followed, here or by another instance',
      [],
      'min',
      (g, { state }) => {
        if (state !== 'off') g.set(state === 'away' ? 0 : 1);
      },
    ],
    [
      'changelog_lag_seconds',
      'How far invalidations for the change log are behind the commits',
      [],
      'max',
      (g, { lagMs }) => {
        if (lagMs !== null) g.set(lagMs / 1_000);
      },
    ],
    [
      'changelog_retained_bytes',
      'How much of its log PostgreSQL keeps because Lockstep has yet to read it',
      [],
      'max',
      (g, { retainedBytes }) => {
        if (retainedBytes !== null) g.set(retainedBytes);
      },
    ],
    [
      'changelog_sweeps',
      'Sweeps of all entries of a resource since the start',
      [],
      'sum',
      (g, { sweeps }) => g.set(sweeps),
    ],
  ],
  replicas: [
    [
      'replica_lag_seconds',
      'How long ago, at least, the primary was at the position that a replica has yet to reach',
      ['replica'],
      'max',
      (g, replicas) => {
        for (const { name, lagMs } of replicas) {
          if (lagMs !== null) g.set({ replica: name }, lagMs / 1_000);
        }
      },
    ],
  ],
  refreshes: [
    refreshGauge('refresh_up', 'Whether the last run of a refresh was good', 'min', ({ phase }) =>
      phase === 'waiting' ? undefined : phase === 'failed' ? 0 : 1,
    ),
    refreshGauge(
      'refresh_rows',
      'Rows that readers see since the last swap',
      'max',
      ({ lastGood }) => lastGood?.rows,
    ),
    refreshGauge('refresh_age_seconds', 'Time since the last swap', 'max', ({ lastGood }, nowMs) =>
      lastGood === null ? undefined : Math.max(0, nowMs - lastGood.atMs) / 1_000,
    ),
    refreshGauge(
      'refresh_duration_seconds',
      'How long the last good run took',
      'max',
      ({ lastGood }) => (lastGood === null ? undefined : lastGood.tookMs / 1_000),
    ),
  ],
  members: [
    [
      'members',
      'Coordinators that the database considers alive, including this one',
      [],
      'max',
      (g, members) => g.set(members),
    ],
  ],
  shadow: [
    [
      'shadow_stale_entries',
      'Entries of a resource in rollout shadow that are old now',
      ['resource'],
      'sum',
      (g, reports) => reports.forEach(({ resource, staleNow }) => g.set({ resource }, staleNow)),
    ],
    [
      'shadow_stale_reads',
      'Reads of such entries since the start, at least',
      ['resource'],
      'sum',
      (g, reports) => {
        for (const { resource, staleReads } of reports)
          if (staleReads !== null) g.set({ resource }, staleReads);
      },
    ],
  ],
  cacheRefusals: [
    [
      'cache_refused_commands',
      'Commands that the cache refused since the start, by the first word of its reply',
      ['reply'],
      'sum',
      (g, refusals) => refusals.forEach((count, reply) => g.set({ reply }, count)),
    ],
  ],
  nodes: [
    [
      'node_up',
      'Whether a server answers (1), is slow (0.5) or is down (0)',
      ['name', 'kind', 'group'],
      'min',
      (g, nodes) => {
        for (const { name, kind, group, status } of nodes) {
          g.set({ name, kind, group: String(group ?? '') }, NODE_VALUES[status]);
        }
      },
    ],
  ],
};

/** A gauge of each refreshed resource; without a value where `valueOf` returns undefined. */
function refreshGauge(
  name: string,
  help: string,
  across: AcrossWorkers,
  valueOf: (status: RefreshStatus, nowMs: number) => number | undefined,
): GaugeRow<Answers['refreshes']> {
  const set: GaugeRow<Answers['refreshes']>[4] = (g, refreshes, nowMs) => {
    for (const status of refreshes) {
      const value = valueOf(status, nowMs);
      if (value !== undefined) g.set({ resource: status.resource }, value);
    }
  };
  return [name, help, ['resource'], across, set];
}

/** Registers the gauges of every source that is there. One without an answer yet has no value. */
export function registerGauges(
  registry: Registry,
  sources: GaugeSources,
  runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>,
): void {
  const register = <Name extends Source>(source: Name): void => {
    const ask = sources[source];
    if (ask === undefined) return;
    const last = new LastKnown<Answers[Name]>(source, ask, runtime);
    for (const [name, help, labelNames, aggregator, set] of GAUGES[source]) {
      const gauge: Gauge = new Gauge({
        name: `lockstep_${name}`,
        help,
        labelNames,
        aggregator,
        registers: [registry],
        collect: async () => {
          gauge.reset();
          // A reset gauge without labels says 0; one whose source has never answered must say nothing.
          if (labelNames.length === 0) gauge.remove();
          const answer = await last.refreshed(SOURCE_TIMEOUT_MS);
          if (answer !== null) set(gauge, answer.value, runtime.clock.wallMs());
        },
      });
    }
  };
  (Object.keys(GAUGES) as Source[]).forEach(register);
}
