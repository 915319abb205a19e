import type { NodeStatus } from '@lockstep/shared';
import { atMost, type Runtime, type Timer } from '../runtime/index.ts';
import { describeNodes } from './node-detail.ts';
import { NodeState, type NodeReading } from './node-state.ts';

export type { NodeReading } from './node-state.ts';

/** A server that is asked every second whether it answers. */
export interface HealthProbe {
  /** Unique; shown to operators, for example `database`, `cache`, `lock 1`. */
  name: string;
  kind: 'database' | 'cache' | 'lock';
  /** Resolves when the server answered. It is given up after `timeoutMs`. */
  ping(): Promise<void>;
  /** What somebody else knows to be wrong with it now, in words that are safe for everyone. */
  fault?: () => string | null;
  /** Which part of it cannot be used while the rest can, in words that are safe for everyone; null: none. */
  partFault?: () => string | null;
  timeoutMs?: number;
}

/** Why a probe failed, in words that are safe for everyone. */
export class ProbeFault extends Error {
  override readonly name = 'ProbeFault';
}

export interface HealthOptions {
  /** This coordinator's id. */
  instance: string;
  probes: readonly HealthProbe[];
  /** Nodes that somebody else probes already (`LockNodes.status()`); their word is taken as it is. */
  lockNodes?: () => readonly NodeReading[];
  /** The database's replicas, which somebody else asks too. Absent where there are none. */
  replicas?: () => readonly ReplicaFacts[];
  /** Whether any resource is `strict`: what a missing server means depends on it. */
  hasStrict: boolean;
  /** Whether this instance is stopping. */
  draining: () => boolean;
  /** What is wrong with following the change log; null where all is well. Absent where it is not followed. */
  changeLog?: () => string | null;
  /** Which capture triggers are not as they should be; null where all are. Absent where there are none. */
  capture?: () => string | null;
  /** One line for each resource whose table does not fit its configuration now; the others are served. */
  tableFaults?: () => readonly string[];
  /** What keeps invalidations of other programs' transactions waiting; null where all is well. */
  invalidations?: () => string | null;
  /**
   * Whether all entries were swept after the cache's last failover, and what failovers put at risk. Absent where the
   * cache has no Sentinels.
   */
  failover?: () => Pick<HealthCheck, 'ok' | 'detail'>;
  runtime: Runtime;
}

/** A replica as it is read. */
export type ReplicaFacts = Omit<NodeReading, 'kind'>;

/** One line of `/readyz?verbose`. */
export interface HealthCheck {
  name: string;
  ok: boolean;
  /** False: this one being down does not make the instance unready, only degraded. */
  required: boolean;
  /** What is wrong, or at risk; null where all is well. */
  detail: string | null;
}

/** Whether traffic may be sent here, and why not. */
export interface Readiness {
  ok: boolean;
  checks: HealthCheck[];
}

const PROBE_INTERVAL_MS = 1_000;
const PROBE_TIMEOUT_MS = { database: 1_000, cache: 500, lock: 250 } as const;

/**
 * Probes the servers that this coordinator needs, and says what their state means.
 *
 * Ready: the database answers, the tables are there, and the instance is not stopping. A cache or lock nodes that are
 * down leave it ready: sending the traffic elsewhere would not help, and most of it still works.
 */
export class Health {
  readonly #options: HealthOptions;
  readonly #runtime: Runtime;
  readonly #states: { probe: HealthProbe; state: NodeState; isAsked: boolean }[];
  readonly #self: NodeState;
  #tick: Timer | null = null;
  #isStopped = false;

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.#states = options.probes.map((probe) => ({
      probe,
      state: new NodeState(probe, options.runtime.clock),
      isAsked: false,
    }));
    this.#self = new NodeState(
      { name: options.instance, kind: 'coordinator' },
      options.runtime.clock,
    );
  }

  /** Probes all servers once, then every second; resolves after the first round. */
  async start(): Promise<void> {
    await this.#probeAll();
    if (!this.#isStopped) this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    this.#tick?.cancel();
  }

  /** `/readyz`: send traffic here, or not. */
  ready(): Readiness {
    const { draining, changeLog, capture, tableFaults, invalidations, failover } = this.#options;
    const checks: HealthCheck[] = [
      check('not-stopping', draining() ? 'this instance is stopping' : null),
      // A coordinator has migrated its tables before anything can ask for this.
      check('migrations', null),
      ...this.nodes()
        .filter(({ kind }) => kind !== 'coordinator')
        .map((node) => ({
          name: node.name,
          // A server that is up and has something to tell serves a part of the keys only.
          ok: node.status !== 'down' && !(node.status === 'up' && node.detail !== null),
          required: node.kind === 'database',
          detail: node.detail,
        })),
      ...(changeLog === undefined ? [] : [check('change log', changeLog(), false)]),
      ...(capture === undefined ? [] : [check('capture', capture(), false)]),
      ...(tableFaults === undefined
        ? []
        : [check('tables', tableFaults().join(' | ') || null, false)]),
      ...(failover === undefined
        ? []
        : [{ name: 'cache failover', required: false, ...failover() }]),
      ...(invalidations === undefined ? [] : [check('invalidations', invalidations(), false)]),
    ];
    return { ok: checks.every(({ ok, required }) => ok || !required), checks };
  }

  /** Every server and this coordinator itself, for the live stream. */
  nodes(): NodeStatus[] {
    const { lockNodes, replicas, hasStrict, draining } = this.#options;
    const probed = this.#states.map(({ probe, state }): NodeReading => {
      const reading = state.reading();
      const fault = probe.fault?.() ?? null;
      if (fault !== null) return { ...reading, status: 'down', rttMs: null, fault };
      const partFault = probe.partFault?.() ?? null;
      return partFault === null ? reading : { ...reading, partFault };
    });
    const readings = (replicas?.() ?? []).map((replica): NodeReading => ({
      ...replica,
      kind: 'replica',
    }));
    const others = [...readings, ...(lockNodes?.() ?? [])];
    const self = this.#self.reading();
    return describeNodes([...probed, ...others, self], { hasStrict, draining: draining() });
  }

  #schedule(): void {
    const dueMs = this.#runtime.clock.nowMs() + PROBE_INTERVAL_MS;
    this.#tick = this.#runtime.timers.after(PROBE_INTERVAL_MS, () => {
      // How late the timer runs is how long this process keeps everyone else waiting.
      this.#self.answered(Math.max(0, this.#runtime.clock.nowMs() - dueMs));
      void this.#probeAll(); // it never rejects, and a server whose probe is in flight is not asked again
      this.#schedule();
    });
  }

  async #probeAll(): Promise<void> {
    await Promise.all(this.#states.map((entry) => this.#probeOne(entry)));
  }

  async #probeOne(entry: {
    probe: HealthProbe;
    state: NodeState;
    isAsked: boolean;
  }): Promise<void> {
    const { probe, state } = entry;
    if (entry.isAsked) return state.failed('no answer to the last probe yet');
    entry.isAsked = true;
    const { clock, timers } = this.#runtime;
    const startedMs = clock.nowMs();
    let isOver = false;
    const pinged = this.#ping(probe).then((error) => {
      entry.isAsked = false;
      if (isOver) return;
      isOver = true;
      if (error === null) state.answered(clock.nowMs() - startedMs);
      else state.failed(error);
    });
    const timeoutMs = probe.timeoutMs ?? PROBE_TIMEOUT_MS[probe.kind];
    await atMost(timers, timeoutMs, pinged);
    if (isOver) return;
    isOver = true;
    state.failed(`no answer within ${timeoutMs} ms`);
  }

  /** Null where it answered, else why not. */
  async #ping(probe: HealthProbe): Promise<string | null> {
    try {
      await probe.ping();
      return null;
    } catch (error) {
      this.#runtime.log.debug({ err: error, node: probe.name }, 'a probe failed');
      return faultOf(error);
    }
  }
}

const FAULT_WORDS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection lost',
  ETIMEDOUT: 'connection timed out',
  ENOTFOUND: 'its host name is unknown',
  EHOSTUNREACH: 'its host cannot be reached',
};

/** Why a probe failed, in words safe for everyone: an error's own text may name hosts, users or worse. */
function faultOf(error: unknown): string {
  if (error instanceof ProbeFault) return error.message;
  let cause = error;
  for (let depth = 0; depth < 4 && cause instanceof Error; depth++) {
    const words =
      'code' in cause && typeof cause.code === 'string' ? FAULT_WORDS[cause.code] : null;
    if (words) return words;
    cause = cause.cause;
  }
  return 'it did not answer the probe';
}

/** @param detail what is wrong; null if nothing is */
const check = (name: string, detail: string | null, required = true): HealthCheck => ({
  ...{ name, ok: detail === null, required, detail },
});
