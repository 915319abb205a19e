import type {
  AuditEvent,
  ContentionEvent,
  NodeStatus,
  OutboxEvent,
  TtlEvent,
} from '@lockstep/shared';
import type { LockSnapshot } from '../locks/port.ts';
import type { MetricsSecond, Totals } from '../metrics/index.ts';

/** What the live stream reads of this instance, once a second. The synchronous ones must be cheap. */
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
