/**
 * One lock node: its connection, and whether it answers.
 *
 * States
 *   up     probes are answered
 *   slow   the last probe took long, or got no answer and is being repeated
 *   down   not connected, or connected and mute; commands fail at once, without a timeout each
 *
 * A mute node (paused, or behind a network that drops packets) is disconnected once two probes in a row time out.
 * Reconnecting then goes on in the background until its greeting is answered, so that the node costs nobody anything,
 * and commands don't pile up for it.
 */
import { Redis } from 'ioredis';
import type { NodeStatus } from '@lockstep/shared';
import type { Runtime, Timer } from '../runtime/index.ts';

/** A lock node's state as probed here, before somebody says what it means. */
export interface LockNodeReading extends Omit<NodeStatus, 'detail'> {
  kind: 'lock';
  /** What is wrong, without host names or secrets; absent where all is well. */
  fault?: string;
}

const PROBE_INTERVAL_MS = 500;
/** A node that a command just timed out on, or that missed a probe, is asked again this soon. */
const DOUBT_INTERVAL_MS = 20;
const COMMAND_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 500;
const MISSES_TO_DISCONNECT = 2;
const SLOW_MS = 50;
const FIRST_RECONNECT_MS = 50;
const LAST_RECONNECT_MS = 1_000;

export interface LockNodeSettings {
  name: string;
  url: string;
  /** Loaded on every new connection, so that no command needs a second try because a node does not know its script. */
  scripts: () => readonly string[];
  runtime: Runtime;
}

export class RedisLockNode {
  readonly name: string;
  readonly client: Redis;
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

  constructor({ name, url, scripts, runtime }: LockNodeSettings) {
    this.name = name;
    this.#runtime = runtime;
    this.#scripts = scripts;
    this.#sinceMs = runtime.clock.wallMs();
    this.client = new Redis(url, {
      // A command that cannot be sent and answered now must fail now: the caller counts votes against a deadline.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      disconnectTimeout: COMMAND_TIMEOUT_MS,
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
      ...(this.#fault === null ? {} : { fault: this.#fault }),
    };
  }

  get isUp(): boolean {
    return this.#status !== 'down';
  }

  /** A command timed out somewhere: asks at once whether it was this node. */
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
    // Not awaited: the scripts are on the wire before any command that needs them.
    for (const script of this.#scripts()) {
      this.client
        .script('LOAD', script)
        .catch((error: unknown) => this.#note(error, 'loading a script'));
    }
    this.#probeAfter(0);
  }

  #disconnected(): void {
    const known = this.#status === 'down' ? this.#fault : null;
    this.#turn('down', known ?? 'connection lost');
  }

  #connectionFailed(error: Error): void {
    this.#note(error, 'connection');
    this.#turn('down', faultOf(error));
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
      await this.client.ping();
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
    if (rttMs < SLOW_MS) this.#turn('up', null);
    else this.#turn('slow', 'answers slowly');
    this.#probeAfter(PROBE_INTERVAL_MS);
  }

  #missed(error: unknown): void {
    this.#note(error, 'probe');
    this.#rttMs = null;
    if (this.client.status !== 'ready') return; // a new connection begins with a probe
    if (++this.#misses < MISSES_TO_DISCONNECT) {
      this.#turn('slow', 'did not answer the last probe');
      return this.#probeAfter(DOUBT_INTERVAL_MS);
    }
    this.#turn('down', faultOf(error));
    this.client.disconnect(true);
  }

  #turn(status: NodeStatus['status'], fault: string | null): void {
    this.#fault = fault;
    if (status === 'down') this.#rttMs = null;
    if (status === this.#status || this.#isClosed) return;
    const { clock, log } = this.#runtime;
    this.#status = status;
    this.#sinceMs = clock.wallMs();
    if (status === 'up') log.info({ node: this.name }, 'lock node answers');
    else log.warn({ node: this.name, status, fault }, 'lock node does not answer as it should');
  }

  #note(error: unknown, during: string): void {
    this.#runtime.log.debug({ err: error, node: this.name, during }, 'lock node error');
  }

  #reconnectDelayMs(attempt: number): number {
    const fullMs = Math.min(LAST_RECONNECT_MS, FIRST_RECONNECT_MS * 2 ** Math.min(attempt - 1, 10));
    return Math.ceil(fullMs * (0.5 + 0.5 * this.#runtime.random.next()));
  }
}

const FAULT_WORDS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection lost',
  ETIMEDOUT: 'connection timed out',
  ENOTFOUND: 'its host name is unknown',
  EHOSTUNREACH: 'its host cannot be reached',
};

/** Why a node does not answer, in words that are safe for everyone. */
function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it does not answer';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const words = FAULT_WORDS[code];
  if (words !== undefined) return words;
  if (error.message.includes('timed out')) return 'connected, but it does not answer';
  if (/^(WRONGPASS|NOAUTH|NOPERM)/.test(error.message)) return 'it refuses the credentials';
  if (error.message.startsWith('LOADING')) return 'it is loading its data';
  return 'it does not answer';
}
