/**
 * The connection to the cache, and whether the cache is available.
 *
 * States: `up` and `down`, with the reason. While `down`, commands fail at once, so that callers do not each wait for a
 * timeout.
 *   up -> down   the connection closes; `TIMEOUTS_TO_DOWN` commands in a row get no answer; or a probe finds that the
 *                cache refuses what the steps need. After an error reply to a command the cache is probed at once; if
 *                the probe passes, the cache stays up
 *   down -> up   a probe passes: it uses the commands that the steps use, and asks whether the server is a master
 *
 * A server that is no longer a master is disconnected, because its host name may lead to a new master by now. Entries
 * are read by commands that a replica refuses (`GETEX`, and scripts that may write), so no replica answers a read in
 * the moment before this is noticed (R8).
 *
 * If Sentinels watch the cache, the connection leads to the master that they name. A server that another one has taken
 * the place of is left even if it still answers, because others write to the new one.
 *
 * A Redis Cluster is up while one of its masters passes a probe. Commands for keys of a master that does not answer fail
 * one by one; `partFault` says how many masters are away.
 */
import type { Redis, RedisOptions } from 'ioredis';
import { LockstepError } from '../domain/index.ts';
import {
  isAboutOneKey,
  isCluster,
  isClusterUrl,
  isRedisReply,
  isSentinelUrl,
  memberUrl,
  namedMember,
  openCluster,
  openRedis,
  parseClusterUrl,
  type RedisClient,
  RedisRefusal,
  withoutSecrets,
} from '../redis/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import { CacheProbe, type ServerSeen } from './cache-probe.ts';
import { MasterWatch } from './master-watch.ts';
import { CLUSTER_STEPS, STEPS, type Steps } from './scripts.ts';

const TIMEOUTS_TO_DOWN = 3;
const PROBE_INTERVAL_MS = 200;
const NO_ANSWER = 'it does not answer';

/** The server that Sentinels call the master, or the masters of a Cluster, as they were when the cache came up. */
export interface MasterSeen {
  /** New with every start of a server's process, and with every other master of a Cluster. */
  runId: string;
  /** How many times this process has found another server, or one that was restarted, in place of the last one. */
  moves: number;
  /** Since when it is known to this process, by the server's own clock, in µs. */
  sinceUs: number;
}

export interface CacheConnectionOptions {
  /** Of a server, a set of Sentinels, or a Cluster. */
  url: string;
  /** How long to wait for the answer to one command. */
  commandTimeoutMs: number;
  runtime: Runtime;
}

export class CacheConnection {
  readonly client: RedisClient;
  /** The scripts of the steps on entries. */
  readonly steps: Steps;
  readonly #probes: CacheProbe;
  readonly #runtime: Runtime;
  readonly #refusals = new Map<string, number>();
  #up = false;
  #upSinceMs = Infinity;
  #closed = false;
  #timeoutsInARow = 0;
  #retry: Timer | null = null;
  #probing: Promise<void> | null = null;
  #partFault: string | null = null;
  #fault: string | null = 'not connected yet';
  /** Reasons that were logged since it was up last. */
  readonly #logged = new Set<string>();
  #runId: string | null = null;
  /** Null: the cache has no Sentinels. */
  readonly #watch: MasterWatch | null;
  /** Further clients of the same cache, which are led to each new master. */
  readonly #followers = new Set<Redis>();
  #master: MasterSeen | null = null;
  readonly #commandTimeoutMs: number;
  readonly #url: string;
  /** Further clients that are closed with this one. */
  readonly #beside = new Set<Redis>();

  constructor({ url, commandTimeoutMs, runtime }: CacheConnectionOptions) {
    this.#runtime = runtime;
    this.#commandTimeoutMs = commandTimeoutMs;
    this.#url = url;
    this.#watch = isSentinelUrl(url)
      ? new MasterWatch({ url, runtime, onMoved: () => this.#leave() })
      : null;
    this.steps = isClusterUrl(url) ? CLUSTER_STEPS : STEPS;
    this.client = this.#open(url);
    this.#probes = new CacheProbe(this.client, this.steps.probe, this.#watch !== null);
    if (isCluster(this.client)) {
      this.client.on('+node', (member: Redis) => this.#memberAdded(member));
      // Another member may have taken slots over.
      this.client.on('refresh', () => {
        if (this.#probes.hasOtherMasters()) void this.check();
      });
    }
    this.client.on('ready', () => this.#connected());
    this.client.on('close', () => this.#markDown('the connection is closed'));
    this.client.on('error', (error: Error) => this.#connectionFailed(error));
    // A connection that is closed while it is being opened is not opened again by the client itself.
    this.client.on('end', () => {
      if (!this.#closed) this.#openLater();
    });
    this.#watch?.start();
  }

  /** How long the answer to one command is waited for. */
  get commandTimeoutMs(): number {
    return this.#commandTimeoutMs;
  }

  get up(): boolean {
    return this.#up;
  }

  /** When it came up last, by the monotonic clock. */
  get upSinceMs(): number {
    return this.#upSinceMs;
  }

  /** Why it is down, in words that are safe to show to everyone; null while it is up. */
  get fault(): string | null {
    return this.#up ? null : this.#fault;
  }

  /** Which masters of a Cluster do not answer, in words that are safe to show to everyone; null: all do. */
  get partFault(): string | null {
    return this.#up ? this.#partFault : null;
  }

  /** Null while it is not known, and for a single server, which nothing takes the place of. */
  get master(): MasterSeen | null {
    return this.#master;
  }

  /** Error replies since the start, by their first word. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  /** Resolves when the cache answers, or rejects after `timeoutMs`. */
  async ready(timeoutMs: number): Promise<void> {
    const deadlineMs = this.#runtime.clock.nowMs() + timeoutMs;
    while (!this.#up) {
      if (this.#runtime.clock.nowMs() > deadlineMs) throw unavailable();
      await this.#runtime.timers.sleep(20);
    }
  }

  /**
   * Sends one command, or several in one pipeline. An error reply about one key's data is passed on.
   * @throws LockstepError `CACHE_UNAVAILABLE` for every other error
   */
  async run<T>(send: (client: RedisClient) => Promise<T>): Promise<T> {
    if (!this.#up) throw unavailable();
    try {
      const answer = await send(this.client);
      this.#timeoutsInARow = 0;
      return answer;
    } catch (error) {
      if (isTimeout(error)) this.#noteTimeout();
      throw this.failure(error);
    }
  }

  /**
   * The same for what is sent over a further connection to the same cache. If that fails, this connection is probed: it
   * may lead to another server.
   */
  async runBeside<T>(send: () => Promise<T>): Promise<T> {
    if (!this.#up) throw unavailable();
    try {
      return await send();
    } catch (error) {
      if (error instanceof LockstepError) throw error;
      void this.check();
      throw unavailable(
        isRedisReply(error) ? new RedisRefusal(error.message) : withoutCommand(error),
      );
    }
  }

  /** The error for the caller of a failed command. */
  failure(error: unknown): Error {
    if (error instanceof LockstepError) return error;
    if (!isRedisReply(error)) return unavailable(withoutCommand(error));
    if (isAboutOneKey(error.message)) {
      return Object.assign(new Error(withoutSecrets(error.message)), { name: 'ReplyError' });
    }
    const refusal = new RedisRefusal(error.message);
    this.#refused(refusal);
    return unavailable(refusal);
  }

  /** Probes now. Never rejects; the result is in `fault`. */
  check(): Promise<void> {
    if (this.client.status !== 'ready') return Promise.resolve();
    this.#probing ??= this.#probe().finally(() => (this.#probing = null));
    return this.#probing;
  }

  /**
   * Opens another connection to the same cache, for its caller to close. It reconnects by itself.
   * @throws LockstepError `CACHE_UNAVAILABLE`
   */
  async openSecond(): Promise<Redis> {
    const second = this.duplicate({ lazyConnect: true });
    second.on('error', (error: Error) =>
      this.#runtime.log.debug({ reason: reasonOf(error) }, 'cache connection error'),
    );
    try {
      await second.connect();
      return second;
    } catch (error) {
      second.disconnect();
      throw this.failure(error);
    }
  }

  /**
   * A connection that is closed with this one. Its commands may take `extraMs` longer.
   * @throws LockstepError `CACHE_UNAVAILABLE` once this one is closed
   */
  openBeside(extraMs: number): Redis {
    if (this.#closed) throw unavailable();
    return this.#closedWithThis(
      this.duplicate({
        commandTimeout: this.#commandTimeoutMs + extraMs,
        enableAutoPipelining: false,
      }),
    );
  }

  /**
   * The same to one member of a Cluster.
   * @param name `host:port`
   */
  openMember(name: string, extraMs: number): Redis {
    if (this.#closed) throw unavailable();
    return this.#closedWithThis(
      openRedis(memberUrl(namedMember(name), parseClusterUrl(this.#url)), {
        ...this.#ofServers,
        ...{ commandTimeout: this.#commandTimeoutMs + extraMs, enableOfflineQueue: false },
        retryStrategy: () => PROBE_INTERVAL_MS,
      }),
    );
  }

  #closedWithThis(beside: Redis): Redis {
    beside.on('error', (error: Error) =>
      this.#runtime.log.debug({ reason: reasonOf(error) }, 'cache connection error'),
    );
    this.#beside.add(beside);
    beside.once('end', () => this.#beside.delete(beside));
    return beside;
  }

  /** A further client of the same cache, for its caller to close. */
  duplicate(options: RedisOptions): Redis {
    if (isCluster(this.client))
      throw new LockstepError('INTERNAL', 'A Redis Cluster has no one server to connect to.');
    const further = this.client.duplicate({ ...this.#watch?.redirecting(), ...options });
    this.lead(further);
    return further;
  }

  /**
   * Has a further client of the same Sentinels leave a server that this connection has left. Its own connection to a
   * machine that is gone may stay open for hours. Does nothing for a cache without Sentinels.
   */
  lead(further: Redis): void {
    if (this.#watch === null) return;
    this.#followers.add(further);
    further.once('end', () => this.#followers.delete(further));
  }

  close(): void {
    this.#closed = true;
    this.#up = false;
    this.#retry?.cancel();
    this.#watch?.close();
    this.client.disconnect();
    for (const beside of this.#beside) beside.disconnect();
  }

  #connected(): void {
    if (isCluster(this.client)) void this.check();
    else {
      this.#loadScripts(this.client);
      if (this.#watch === null) void this.#noteServer();
      void this.check();
    }
  }

  #memberAdded(member: Redis): void {
    member.on('ready', () => {
      this.#loadScripts(member);
      void this.check();
    });
    member.on('close', () => void this.check());
    if (member.status === 'ready') this.#loadScripts(member);
  }

  /**
   * Not awaited: these are sent before any command that needs them. Loading them keeps steps in order: a step that must
   * be sent again with its source is overtaken by later ones.
   */
  #loadScripts(client: Redis): void {
    for (const { source } of Object.values(this.steps)) {
      client
        .script('LOAD', source)
        .catch((error: unknown) =>
          this.#runtime.log.debug({ reason: reasonOf(error) }, 'a script was not loaded'),
        );
    }
  }

  /** Of the connection to each server. */
  get #ofServers() {
    const timeoutMs = this.#commandTimeoutMs;
    return {
      ...{ commandTimeout: timeoutMs, connectTimeout: timeoutMs },
      ...{ autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
      // The probe serves as the ready check, and INFO may be forbidden.
      enableReadyCheck: false,
    };
  }

  #open(url: string): RedisClient {
    // Of a Cluster each command may have to go to another member, so each is sent by itself.
    if (isClusterUrl(url))
      return openCluster(url, { members: this.#ofServers, retryMs: PROBE_INTERVAL_MS });
    return openRedis(url, {
      ...{ ...this.#watch?.following(), ...this.#ofServers, enableOfflineQueue: false },
      enableAutoPipelining: true,
      // Scripts are batched by `RedisEntrySteps`.
      autoPipeliningIgnoredCommands: ['evalsha', 'eval', 'ping'],
      retryStrategy: () => PROBE_INTERVAL_MS,
    });
  }

  #connectionFailed(error: Error): void {
    if (isRedisReply(error)) this.#markDown(refusalText(new RedisRefusal(error.message)));
    this.#runtime.log.debug({ reason: reasonOf(error) }, 'cache connection error');
  }

  /** Notices a different server. It may have older entries, because a failover loses what was not replicated yet. */
  async #noteServer(): Promise<void> {
    const info = await this.client.info('server').catch(() => '');
    const runId = /^run_id:(\w+)/m.exec(info)?.[1];
    if (runId === undefined) return;
    if (this.#runId !== null && this.#runId !== runId) {
      this.#runtime.log.warn(
        {},
        'the cache is a different server than before, or was restarted: it may have lost its last changes',
      );
    }
    this.#runId = runId;
  }

  async #probe(): Promise<void> {
    try {
      const { server, partFault } = await this.#probes.run();
      if (server !== null) this.#noteMaster(server);
      this.#notePart(partFault);
      this.#markUp();
      if (partFault !== null) this.#probeLater();
    } catch (error) {
      if (isTimeout(error) && isCluster(this.client)) this.#markDown(NO_ANSWER);
      else if (isTimeout(error)) this.#noteTimeout();
      else if (isRedisReply(error)) this.#refusedProbe(new RedisRefusal(error.message));
      else if (error instanceof RedisRefusal) this.#refusedProbe(error);
      if (!this.#up) this.#probeLater();
    }
  }

  /** Before the cache counts as up, so that nothing is asked of a server that is not known to be a new one. */
  #noteMaster({ runId, nowUs }: ServerSeen): void {
    if (this.#master?.runId === runId) return;
    const moves = this.#master === null ? 0 : this.#master.moves + 1;
    this.#master = { runId, moves, sinceUs: nowUs };
    if (moves === 0) return;
    for (const further of this.#followers) if (further.status === 'ready') further.disconnect(true);
    this.#runtime.log.warn(
      {},
      'the cache has failed over to another server, or its master was restarted: it may have lost its last changes; all entries of cached resources are swept',
    );
  }

  #notePart(fault: string | null): void {
    if (fault !== null && fault !== this.#partFault)
      this.#runtime.log.warn({ reason: fault }, 'a part of the cache is away');
    this.#partFault = fault;
  }

  /** The Sentinels name another server than the one that this connection leads to. */
  #leave(): void {
    if (this.client.status !== 'ready') return;
    this.#markDown('the Sentinels name another master');
    this.client.disconnect(true);
  }

  #openLater(): void {
    this.#runtime.timers.after(PROBE_INTERVAL_MS, () => {
      if (this.#closed || this.client.status !== 'end') return;
      this.client.connect().catch(() => undefined); // 'error' and 'close' tell why
    });
  }

  #refusedProbe(refusal: RedisRefusal): void {
    this.#markDown(refusalText(refusal));
    if (refusal.wantsNewConnection) this.client.disconnect(true);
  }

  #refused(refusal: RedisRefusal): void {
    const { code } = refusal;
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    if (!this.#up) return;
    // On a Cluster one member has refused: the probe tells whether the others do.
    if (refusal.wantsNewConnection && !isCluster(this.client)) this.#refusedProbe(refusal);
    else void this.check();
  }

  #markUp(): void {
    this.#timeoutsInARow = 0;
    if (this.#up || this.#closed) return;
    this.#logged.clear();
    this.#runtime.log.info({}, 'the cache answers');
    this.#upSinceMs = this.#runtime.clock.nowMs();
    this.#up = true;
  }

  #markDown(reason: string): void {
    const isNew = this.#up || (isRefusal(reason) && !this.#logged.has(reason));
    if (isNew && !this.#closed) this.#runtime.log.warn({ reason }, 'the cache is away');
    this.#logged.add(reason);
    // If the connection was closed because of a refusal, the refusal stays the reason.
    if (this.#up || isRefusal(reason) || !isRefusal(this.#fault)) this.#fault = reason;
    this.#up = false;
  }

  #noteTimeout(): void {
    this.#timeoutsInARow += 1;
    if (this.#timeoutsInARow < TIMEOUTS_TO_DOWN || !this.#up) return;
    // On a Cluster one member may be silent: the probe tells whether the others are.
    if (isCluster(this.client)) return void this.check();
    this.#markDown(NO_ANSWER);
    this.#probeLater();
  }

  #probeLater(): void {
    this.#retry?.cancel();
    this.#retry = this.#runtime.timers.after(PROBE_INTERVAL_MS, () => {
      if (!this.#closed && (!this.#up || this.#partFault !== null)) void this.check();
    });
  }
}

const unavailable = (cause?: unknown): LockstepError =>
  new LockstepError('CACHE_UNAVAILABLE', 'The cache does not answer.', { cause });

const refusalText = (refusal: RedisRefusal): string => `it refuses: ${refusal.message}`;
const isRefusal = (reason: string | null): boolean => reason?.startsWith('it refuses') === true;

const isTimeout = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('timed out');

/** The error without its command, because the client adds the command's arguments, which contain rows. */
function withoutCommand(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) Reflect.deleteProperty(error, 'command');
  return error;
}

const reasonOf = (error: unknown): string =>
  withoutSecrets(error instanceof Error ? error.message : String(error));
