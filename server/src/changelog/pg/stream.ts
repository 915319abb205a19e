/**
 * One streaming connection to PostgreSQL (its logical replication protocol, the plugin pgoutput).
 *
 * Invariants
 *   - nothing is acknowledged but what `acknowledge` was given: the library's own acknowledging is off
 *   - a keepalive counts once every message that came before it was handled
 *   - the connection is not read while the sink has no room
 */
import { Socket } from 'node:net';
import { LogicalReplicationService, PgoutputPlugin, type Pgoutput } from 'pg-logical-replication';
import { atMost, type Runtime } from '../../runtime/index.ts';
import { formatLsn, parseLsn } from './lsn.ts';

/** The server ends a stream that says nothing for `wal_sender_timeout`, 60 s by default. */
const STATUS_EVERY_MS = 10_000;
const CLOSE_WITHIN_MS = 1_000;
/** How values are written, regardless of the server's defaults. */
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
  /** Handles one message; the promise holds the stream up. */
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
  /** The last keepalive that messages before it still hold back. */
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
        connectionString: options.connection,
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

  /** Says that this side lives, until `signal` aborts. */
  async #report(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.runtime.timers.sleep(STATUS_EVERY_MS, signal);
      if (signal.aborted) return;
      this.#send();
    }
  }

  /**
   * The library adds 1 to what it is given, but a transaction's end is where the next one's commit may begin: with
   * one more acknowledged, a restart would skip that one.
   */
  #send(): void {
    const lsn = this.#acknowledged;
    if (lsn === 0n) return;
    this.#service.acknowledge(formatLsn(lsn - 1n)).catch(() => undefined);
  }

  /** A server that does not answer must not hold up the end. */
  async #close(): Promise<void> {
    const closed = this.#service.destroy().catch(() => undefined);
    await atMost(this.#options.runtime.timers, CLOSE_WITHIN_MS, closed);
    this.#socket?.destroy();
  }
}

/** Counts what it has parsed, and leaves values as the texts that the database sent. */
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
