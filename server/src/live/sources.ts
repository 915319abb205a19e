import type {
  AuditEvent,
  ContentionEvent,
  NodeStatus,
  OutboxEvent,
  TtlEvent,
} from '@lockstep/shared';
import type { LockSnapshot } from '../locks/port.ts';
import type { MetricsSecond, Totals } from '../metrics/index.ts';

/** Where the live stream takes this instance's part from. Those that answer at once must be cheap: once a second. */
export interface LiveSources {
  /** Closes the running second (`Metrics.second`); nobody else may call it. */
  second(): MetricsSecond;
  totals(): Totals;
  locks(): LockSnapshot;
  contention(): Omit<ContentionEvent, 'atMs'>;
  ttl(): TtlEvent;
  nodes(): NodeStatus[];
  /** Facts of the whole cluster, from the database; may be slow or fail. */
  audit(): Promise<Omit<AuditEvent, 'atMs'>> | Omit<AuditEvent, 'atMs'>;
  outbox(): Promise<Omit<OutboxEvent, 'atMs'>> | Omit<OutboxEvent, 'atMs'>;
}
