/**
 * One lock node: its connection, and whether it grants locks.
 *
 * States
 *   up     probes pass: the node is a master and runs the commands that a lock needs
 *   slow   the last probe took long, or got no answer and is being repeated
 *   down   not connected; or connected and silent, so that commands fail at once instead of timing out; or the node
 *          refuses the commands that a lock needs, and a refusal does not count as a vote
 *
 * A silent node (paused, or behind a network that drops packets) is disconnected once two probes in a row time out.
 * Reconnecting then goes on in the background, so that nobody waits for the node and commands do not pile up for it.
 * A node that is no longer a master, or no longer accepts our credentials, is disconnected too: its host name may lead
 * to another server now.
 */
import type { Redis } from 'ioredis';
import type { NodeStatus } from '@lockstep/shared';
import {
  evaluate,
  isRedisReply,
  openRedis,
  redisScript,
  RedisRefusal,
  roleOf,
  withoutSecrets,
} from '../redis/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import probeScript from './scripts/probe.lua?raw';

/** A lock node's state as probed here; the health report adds what it means. */
export interface LockNodeReading extends Omit<NodeStatus, 'detail'> {
  kind: 'lock';
  /** What is wrong, without host names or secrets; absent while the node is up. */
  fault?: string;
}

/** Load it on every connection. */
export const PROBE_SCRIPT = redisScript(probeScript);

const REFUSES = 'it refuses';
const PROBE_KEY = 'lockstep:probe:locks';
const PROBE_TTL_MS = 1_000;
const PROBE_INTERVAL_MS = 500;
/** The delay before the next probe after a command timed out or a probe was missed. */
const DOUBT_INTERVAL_MS = 20;
const COMMAND_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 500;
const MISSES_TO_DISCONNECT = 2;
const SLOW_MS = 50;
const FIRST_RECONNECT_MS = 50;
const LAST_RECONNECT_MS = 1_000;

export interface LockNodeOptions {
  name: string;
  url: string;
  /** The number of its group; null where there is only one. */
  group: number | null;
  /** Loaded on every new connection, so that no command has to be repeated because the node lacks its script. */
  scripts: () => readonly string[];
  runtime: Runtime;
}

export class RedisLockNode {
  readonly name: string;
  readonly client: Redis;
  readonly #group: number | null;
  readonly #runtime: Runtime;
  readonly #scripts: () => readonly string[];
  #status: NodeStatus['status'] = 'down';
  #sinceMs: number;
  #rttMs: number | null = null;
  #fault: string | null = 'not connected yet';
  #misses = 0;
  #isProbing = false;
  #isClosed = false;
  #timer: Timer | null = null;

  constructor({ name, url, group, scripts, runtime }: LockNodeOptions) {
    this.name = name;
    this.#group = group;
    this.#runtime = runtime;
    this.#scripts = scripts;
    this.#sinceMs = runtime.clock.wallMs();
    this.client = openRedis(url, {
      // A command that cannot be answered now must fail now: the caller counts votes against a deadline.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      disconnectTimeout: COMMAND_TIMEOUT_MS,
      // The probe serves as one, and INFO may be forbidden.
      enableReadyCheck: false,
      retryStrategy: (attempt) => this.#reconnectDelayMs(attempt),
    });
    this.client.on('ready', () => this.#connected());
    this.client.on('close', () => this.#disconnected());
    this.client.on('error', (error: Error) => this.#connectionFailed(error));
  }

  reading(): LockNodeReading {
    return {
      name: this.name,
      kind: 'lock',
      status: this.#status,
      rttMs: this.#rttMs,
      sinceMs: this.#sinceMs,
      ...(this.#group === null ? {} : { group: this.#group }),
      ...(this.#fault === null ? {} : { fault: this.#fault }),
    };
  }

  get isUp(): boolean {
    return this.#status !== 'down';
  }

  /** A command timed out on some node: probes at once to find out whether it was this one. */
  doubt(): void {
    if (this.#misses === 0 && this.#status !== 'down' && !this.#isProbing) this.#probeAfter(0);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.client.disconnect();
  }

  #connected(): void {
    this.#misses = 0;
    // Not awaited: the scripts are sent before any command that needs them.
    for (const script of this.#scripts()) {
      this.client
        .script('LOAD', script)
        .catch((error: unknown) => this.#note(error, 'loading a script'));
    }
    this.#probeAfter(0);
  }

  #disconnected(): void {
    const known = this.#status === 'down' ? this.#fault : null;
    this.#setStatus('down', known ?? 'connection lost');
  }

  #connectionFailed(error: Error): void {
    this.#note(error, 'connection');
    this.#setStatus('down', faultOf(error));
  }

  #probeAfter(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#isClosed) return;
    this.#timer = this.#runtime.timers.after(delayMs, () => void this.#probe());
  }

  /** Never rejects. */
  async #probe(): Promise<void> {
    if (this.#isProbing || this.client.status !== 'ready') return;
    this.#isProbing = true;
    const startedAtMs = this.#runtime.clock.nowMs();
    try {
      const [role] = await Promise.all([
        roleOf(this.client),
        evaluate(this.client, PROBE_SCRIPT, [PROBE_KEY], [PROBE_TTL_MS]),
      ]);
      if (role !== null && role !== 'master') throw new RedisRefusal(`READONLY it is a ${role}`);
      this.#answered(this.#runtime.clock.nowMs() - startedAtMs);
    } catch (error) {
      this.#missed(error);
    } finally {
      this.#isProbing = false;
    }
  }

  #answered(rttMs: number): void {
    this.#misses = 0;
    this.#rttMs = Math.round(rttMs * 100) / 100;
    if (rttMs < SLOW_MS) this.#setStatus('up', null);
    else this.#setStatus('slow', 'answers slowly');
    this.#probeAfter(PROBE_INTERVAL_MS);
  }

  #missed(error: unknown): void {
    this.#note(error, 'probe');
    this.#rttMs = null;
    if (this.client.status !== 'ready') return; // a new connection starts with a probe
    const refusal = refusalOf(error);
    if (refusal !== null) {
      this.#misses = 0;
      this.#setStatus('down', faultOf(refusal));
      if (refusal.wantsNewConnection) this.client.disconnect(true);
      else this.#probeAfter(PROBE_INTERVAL_MS);
      return;
    }
    if (++this.#misses < MISSES_TO_DISCONNECT) {
      this.#setStatus('slow', 'did not answer the last probe');
      return this.#probeAfter(DOUBT_INTERVAL_MS);
    }
    this.#setStatus('down', faultOf(error));
    this.client.disconnect(true);
  }

  #setStatus(status: NodeStatus['status'], fault: string | null): void {
    const isNew = this.#status !== status || isNewRefusal(this.#fault, fault);
    this.#fault = fault;
    if (status === 'down') this.#rttMs = null;
    if (!isNew || this.#isClosed) return;
    const { clock, log } = this.#runtime;
    if (status !== this.#status) this.#sinceMs = clock.wallMs();
    this.#status = status;
    if (status === 'up') log.info({ node: this.name }, 'lock node answers');
    else log.warn({ node: this.name, status, fault }, 'lock node does not answer as it should');
  }

  #note(error: unknown, during: string): void {
    // Not the error object: the client puts the command's arguments into it.
    const reason = withoutSecrets(error instanceof Error ? error.message : String(error));
    this.#runtime.log.debug({ reason, node: this.name, during }, 'lock node error');
  }

  #reconnectDelayMs(attempt: number): number {
    // The node is reachable and will refuse again.
    if (this.#fault?.startsWith(REFUSES) === true) return PROBE_INTERVAL_MS;
    const fullMs = Math.min(LAST_RECONNECT_MS, FIRST_RECONNECT_MS * 2 ** Math.min(attempt - 1, 10));
    return Math.ceil(fullMs * (0.5 + 0.5 * this.#runtime.random.next()));
  }
}

function refusalOf(error: unknown): RedisRefusal | null {
  if (error instanceof RedisRefusal) return error;
  return isRedisReply(error) ? new RedisRefusal(error.message) : null;
}

/** A node that is down is logged again when it gives a reason, but not for every reconnect. */
const isNewRefusal = (before: string | null, now: string | null): boolean =>
  now?.startsWith(REFUSES) === true && before?.startsWith(REFUSES) !== true;

const FAULT_WORDS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection lost',
  ETIMEDOUT: 'connection timed out',
  ENOTFOUND: 'its host name is unknown',
  EHOSTUNREACH: 'its host cannot be reached',
};

/** Why a node does not answer, in words that are safe to show to everyone. */
function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it does not answer';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const words = FAULT_WORDS[code];
  if (words !== undefined) return words;
  if (error.message.includes('timed out')) return 'connected, but it does not answer';
  if (/^(WRONGPASS|NOAUTH)/.test(error.message)) return 'it refuses the credentials';
  if (error.message.startsWith('LOADING')) return 'it is loading its data';
  const refusal = refusalOf(error);
  if (refusal !== null) return `${REFUSES}: ${refusal.message}`;
  return 'it does not answer';
}
