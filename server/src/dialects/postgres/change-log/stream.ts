/**
 * One streaming connection to PostgreSQL (its logical replication protocol, the plugin pgoutput).
 *
 * Invariants
 *   - only what `acknowledge` was given is acknowledged: the library's automatic acknowledgement is off
 *   - a keepalive counts only when every message before it has been handled
 *   - the connection is not read while the sink has no room
 */
import { Socket } from 'node:net';
import { LogicalReplicationService, PgoutputPlugin, type Pgoutput } from 'pg-logical-replication';
import { pgAddress } from '../address.ts';
import { atMost, type Runtime } from '../../../runtime/index.ts';
import { formatLsn, parseLsn } from './lsn.ts';

/** The server ends the stream if it hears nothing for `wal_sender_timeout`, 60 s by default. */
const STATUS_EVERY_MS = 10_000;
const CLOSE_WITHIN_MS = 1_000;
/** Settings that fix how values are written, whatever the server's defaults are. */
const SESSION = [
  'TimeZone=UTC',
  'DateStyle=ISO',
  'IntervalStyle=iso_8601',
  'bytea_output=hex',
  'extra_float_digits=1',
  'statement_timeout=0',
  'idle_session_timeout=0',
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

export interface StreamOptions {
  connection: string;
  slot: string;
  publication: string;
  /** Handles one message. The stream waits for the promise, if there is one. */
  onMessage: (message: Pgoutput.Message) => Promise<void> | null;
  /** All messages before `lsn` were handled. */
  onCaughtUp: (lsn: string, isUrgent: boolean) => void;
  runtime: Pick<Runtime, 'timers'>;
}

export class PgStream {
  readonly #options: StreamOptions;
  readonly #plugin: CountingPlugin;
  readonly #service: LogicalReplicationService;
  #socket: Socket | null = null;
  #handled = 0;
  /** The last keepalive, while messages before it are still being handled. */
  #keepalive: { lsn: string; after: number; isUrgent: boolean } | null = null;
  #acknowledged: bigint;

  /** @param position where the stream begins */
  constructor(options: StreamOptions, position: string) {
    this.#options = options;
    this.#acknowledged = parseLsn(position);
    this.#plugin = new CountingPlugin({
      protoVersion: 1,
      publicationNames: [options.publication],
    });
    this.#service = new LogicalReplicationService(
      {
        ...pgAddress(options.connection),
        application_name: 'lockstep change log',
        keepAlive: true,
        options: SESSION,
        stream: () => (this.#socket = new Socket()),
      },
      { acknowledge: { auto: false, timeoutSeconds: 0 }, flowControl: { enabled: true } },
    );
  }

  /** Resolves when `signal` aborts; rejects when the stream ends by itself. */
  async run(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      const failed = new Promise<never>((_, reject) => this.#service.on('error', reject));
      this.#service.on('data', (_lsn, message) => this.#handle(message as Pgoutput.Message));
      this.#service.on('heartbeat', (lsn, _timestamp, mustAnswer) =>
        this.#heartbeat(lsn, mustAnswer),
      );
      const streamed = this.#service
        .subscribe(this.#plugin, this.#options.slot, formatLsn(this.#acknowledged))
        .then(() => {
          throw new Error('The stream has ended.');
        });
      await Promise.race([failed, streamed, this.#report(over.signal)]);
    } finally {
      signal.removeEventListener('abort', end);
      over.abort();
      await this.#close();
    }
  }

  acknowledge(position: string): void {
    const lsn = parseLsn(position);
    if (lsn <= this.#acknowledged) return;
    this.#acknowledged = lsn;
    this.#send();
  }

  #handle(message: Pgoutput.Message): Promise<void> | undefined {
    const wait = this.#options.onMessage(message);
    this.#handled += 1;
    this.#passOnKeepalive();
    return wait ?? undefined;
  }

  #heartbeat(lsn: string, mustAnswer: boolean): void {
    this.#keepalive = { lsn, after: this.#plugin.parsed, isUrgent: mustAnswer };
    if (mustAnswer) this.#send();
    this.#passOnKeepalive();
  }

  #passOnKeepalive(): void {
    const keepalive = this.#keepalive;
    if (keepalive === null || this.#handled < keepalive.after) return;
    this.#keepalive = null;
    if (parseLsn(keepalive.lsn) > this.#acknowledged) {
      this.#options.onCaughtUp(keepalive.lsn, keepalive.isUrgent);
    }
  }

  /** Sends regular status messages until `signal` aborts, so that the server keeps the stream. */
  async #report(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.runtime.timers.sleep(STATUS_EVERY_MS, signal);
      if (signal.aborted) return;
      this.#send();
    }
  }

  /**
   * The library adds 1 to the position. The end of one transaction may be the start of the next one's commit, so with
   * 1 added, a restart would skip that transaction.
   */
  #send(): void {
    const lsn = this.#acknowledged;
    if (lsn === 0n) return;
    this.#service.acknowledge(formatLsn(lsn - 1n)).catch(() => undefined);
  }

  /** Closes the connection without waiting long for a server that does not answer. */
  async #close(): Promise<void> {
    const closed = this.#service.destroy().catch(() => undefined);
    await atMost(this.#options.runtime.timers, CLOSE_WITHIN_MS, closed);
    this.#socket?.destroy();
  }
}

/** Counts the parsed messages, and keeps values as the text that the database sent. */
class CountingPlugin extends PgoutputPlugin {
  parsed = 0;

  override parse(buffer: Buffer): Pgoutput.Message {
    const message = super.parse(buffer);
    this.parsed += 1;
    if (message.tag === 'relation') {
      for (const column of message.columns) column.parser = asSent;
    }
    return message;
  }
}

const asSent = (text: string): string => text;
