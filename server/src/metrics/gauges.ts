import { Gauge, type Registry } from 'prom-client';
import type { AuditEvent, NodeStatus, OutboxEvent, RefreshStatus } from '@lockstep/shared';
import type { Runtime } from '../runtime/index.ts';
import { LastKnown } from './last-known.ts';

/** What `/metrics` reads at the moment of a scrape. Each may be slow or fail: the last answer then stands. */
export interface GaugeSources {
  locks?: () => { held: readonly unknown[]; waiting: readonly { waiting: number }[] };
  /** Leases that are held here, by resource. */
  leases?: () => ReadonlyMap<string, number>;
  outbox?: () => OutboxFacts | Promise<OutboxFacts>;
  audit?: () => AuditFacts | Promise<AuditFacts>;
  nodes?: () => NodeStatus[];
  refreshes?: () => RefreshStatus[] | Promise<RefreshStatus[]>;
  replicas?: () => readonly { name: string; lagMs: number | null }[];
  /** Live members, this one among them. */
  members?: () => number;
  /** Error replies of the cache since the start, by their first word. */
  cacheRefusals?: () => ReadonlyMap<string, number>;
  changeLog?: () => { state: string; lagMs: number | null; sweeps: number };
}
type OutboxFacts = Pick<OutboxEvent, 'depth' | 'oldestMs' | 'deadLetters'>;
type AuditFacts = Pick<AuditEvent, 'consistency' | 'openFindings'>;

/** Longest that a scrape waits for one source. */
const SOURCE_TIMEOUT_MS = 500;

/** Registers the gauges; one without a source, or without an answer yet, has no value. */
export function registerGauges(
  registry: Registry,
  sources: GaugeSources,
  runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>,
): void {
  const gauge = <Name extends string>(
    name: string,
    help: string,
    labelNames: Name[],
    collect: (gauge: Gauge<Name>) => void | Promise<void>,
  ): void => {
    const registered: Gauge<Name> = new Gauge<Name>({
      name: `lockstep_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect: async () => {
        registered.reset();
        // A reset gauge without labels says 0; one whose source has never answered must say nothing.
        if (labelNames.length === 0) registered.remove();
        await collect(registered);
      },
    });
  };
  registerLocks(gauge, sources);
  registerLeases(gauge, sources);
  registerOutbox(gauge, sources, runtime);
  registerAudit(gauge, sources, runtime);
  registerChangeLog(gauge, sources);
  registerReplicas(gauge, sources);
  registerRefreshes(gauge, sources, runtime);
  registerMembers(gauge, sources);
  registerCacheRefusals(gauge, sources);
  gauge(
    'node_up',
    'Whether a server answers (1), is slow (0.5) or is down (0)',
    ['name', 'kind'],
    (g) => {
      const value = { up: 1, slow: 0.5, down: 0 };
      for (const { name, kind, status } of sources.nodes?.() ?? [])
        g.set({ name, kind }, value[status]);
    },
  );
}

type RegisterGauge = <Name extends string>(
  name: string,
  help: string,
  labelNames: Name[],
  collect: (gauge: Gauge<Name>) => void | Promise<void>,
) => void;

function registerLocks(gauge: RegisterGauge, { locks }: GaugeSources): void {
  if (locks === undefined) return;
  gauge('locks_held', 'Keys that this instance holds', [], (g) => g.set(locks().held.length));
  gauge('lock_waiters', 'Callers that wait for a key in this instance', [], (g) =>
    g.set(locks().waiting.reduce((sum, { waiting }) => sum + waiting, 0)),
  );
}

function registerLeases(gauge: RegisterGauge, { leases }: GaugeSources): void {
  if (leases === undefined) return;
  gauge('leases', 'Leases of callers that this instance holds', ['resource'], (g) => {
    for (const [resource, count] of leases()) g.set({ resource }, count);
  });
}

function registerCacheRefusals(gauge: RegisterGauge, { cacheRefusals }: GaugeSources): void {
  if (cacheRefusals === undefined) return;
  const help = 'Commands that the cache refused, by the first word of its reply';
  gauge('cache_refused_commands', help, ['reply'], (g) => {
    for (const [reply, count] of cacheRefusals()) g.set({ reply }, count);
  });
}

function registerMembers(gauge: RegisterGauge, { members }: GaugeSources): void {
  if (members === undefined) return;
  gauge('members', 'Coordinators that the database holds for live, this one among them', [], (g) =>
    g.set(members()),
  );
}

function registerChangeLog(gauge: RegisterGauge, { changeLog }: GaugeSources): void {
  if (changeLog === undefined) return;
  gauge(
    'changelog_up',
    'Whether the change log is followed, here or by another instance',
    [],
    (g) => {
      const { state } = changeLog();
      if (state !== 'off') g.set(state === 'away' ? 0 : 1);
    },
  );
  gauge('changelog_lag_seconds', 'How far what is done is behind the commits', [], (g) => {
    const { lagMs } = changeLog();
    if (lagMs !== null) g.set(lagMs / 1_000);
  });
  gauge('changelog_sweeps', 'Sweeps of all entries of a resource since the start', [], (g) =>
    g.set(changeLog().sweeps),
  );
}

function registerReplicas(gauge: RegisterGauge, { replicas }: GaugeSources): void {
  if (replicas === undefined) return;
  gauge(
    'replica_lag_seconds',
    'How long ago, at the least, the primary was where a replica still has to come',
    ['replica'],
    (g) => {
      for (const { name, lagMs } of replicas()) {
        if (lagMs !== null) g.set({ replica: name }, lagMs / 1_000);
      }
    },
  );
}

function registerRefreshes(
  gauge: RegisterGauge,
  { refreshes }: GaugeSources,
  runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>,
): void {
  if (refreshes === undefined) return;
  const source = new LastKnown('refreshes', refreshes, runtime);
  const each = async (set: (status: RefreshStatus) => void): Promise<void> =>
    ((await source.refreshed(SOURCE_TIMEOUT_MS))?.value ?? []).forEach(set);
  gauge('refresh_up', 'Whether the last run of a refresh was good', ['resource'], (g) =>
    each(({ resource, phase }) => {
      if (phase !== 'waiting') g.set({ resource }, phase === 'failed' ? 0 : 1);
    }),
  );
  gauge('refresh_rows', 'Rows that readers see since the last swap', ['resource'], (g) =>
    each(({ resource, lastGood }) => {
      if (lastGood !== null) g.set({ resource }, lastGood.rows);
    }),
  );
  gauge('refresh_age_seconds', 'Time since the last swap', ['resource'], (g) =>
    each(({ resource, lastGood }) => {
      if (lastGood === null) return;
      g.set({ resource }, Math.max(0, runtime.clock.wallMs() - lastGood.atMs) / 1_000);
    }),
  );
  gauge('refresh_duration_seconds', 'How long the last good run took', ['resource'], (g) =>
    each(({ resource, lastGood }) => {
      if (lastGood !== null) g.set({ resource }, lastGood.tookMs / 1_000);
    }),
  );
}

function registerOutbox(
  gauge: RegisterGauge,
  { outbox }: GaugeSources,
  runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>,
): void {
  if (outbox === undefined) return;
  const source = new LastKnown('outbox', outbox, runtime);
  const facts = async (): Promise<OutboxFacts | undefined> =>
    (await source.refreshed(SOURCE_TIMEOUT_MS))?.value;
  gauge('outbox_depth', 'Cache steps still to be done', [], async (g) => {
    const known = await facts();
    if (known !== undefined) g.set(known.depth);
  });
  gauge('outbox_oldest_age_seconds', 'Age of the oldest of them', [], async (g) => {
    const known = await facts();
    if (known !== undefined) g.set((known.oldestMs ?? 0) / 1_000);
  });
  gauge('outbox_dead_letters', 'Outbox rows given up, waiting for an operator', [], async (g) => {
    const known = await facts();
    if (known !== undefined) g.set(known.deadLetters);
  });
}

function registerAudit(
  gauge: RegisterGauge,
  { audit }: GaugeSources,
  runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>,
): void {
  if (audit === undefined) return;
  const source = new LastKnown('audit', audit, runtime);
  const facts = async (): Promise<AuditFacts | undefined> =>
    (await source.refreshed(SOURCE_TIMEOUT_MS))?.value;
  gauge('audit_open_findings', 'Findings of drift not repaired', [], async (g) => {
    const known = await facts();
    if (known !== undefined) g.set(known.openFindings);
  });
  gauge(
    'consistency_ratio',
    'Share of audited samples without drift',
    ['resource', 'window_seconds'],
    async (g) => {
      for (const { resource, windows } of (await facts())?.consistency ?? []) {
        for (const { windowMs, share } of windows) {
          if (share === null) continue;
          g.set({ resource, window_seconds: String(windowMs / 1_000) }, share);
        }
      }
    },
  );
}
