import type { KeyEvent } from '@lockstep/shared';
import type { TelemetryEvent } from '../domain/index.ts';

type KeyedEvent = Extract<TelemetryEvent, { key: { text: string } }>;
type Words = Pick<KeyEvent, 'type' | 'detail'>;

/**
 * A telemetry event in a few words for people.
 * @param count how many equal reads it stands for
 */
export function describeEvent(event: KeyedEvent, count = 1): Words {
  switch (event.type) {
    case 'write':
      return describeWrite(event);
    case 'read':
      return describeRead(event, count);
    case 'fill':
      return {
        type: `fill ${event.result}`,
        detail:
          event.result === 'refused'
            ? 'its lease was gone, or the entry asked for a newer version'
            : '',
      };
    case 'lock-acquired':
      return {
        type: 'lock waited for',
        detail: `${ms(event.waitMs)}, ${event.attempts} attempt(s)`,
      };
    case 'lock-released':
      return { type: 'lock released', detail: `held ${ms(event.heldMs)}` };
    case 'lock-lost':
      return { type: `lock ${event.how}`, detail: `after ${ms(event.heldMs)}` };
    case 'lock-failed':
      return {
        type: 'lock not acquired',
        detail: `${event.code} after ${ms(event.waitMs)}, ${event.attempts} attempt(s)`,
      };
    case 'write-fenced':
      return {
        type: 'write fenced',
        detail: `fence ${event.fence}, the database has seen ${event.storedFence}`,
      };
    case 'corrupt-entry':
      return { type: 'unreadable entry', detail: 'treated as missing' };
    case 'intent-lost':
      return { type: 'intent lost', detail: `fence ${event.fence}, found before the commit` };
    case 'intent-recovered':
      return { type: 'intent recovered', detail: `by ${event.by}, version ${event.version}` };
    case 'invalidated':
      return { type: 'invalidated', detail: `by ${event.by}, version ${event.version}` };
    case 'drift-found':
      return { type: 'audit drift', detail: event.class };
    case 'drift-repaired':
      return {
        type: event.ok ? 'drift repaired' : 'drift not repaired',
        detail: event.class,
      };
  }
}

function describeWrite(event: Extract<KeyedEvent, { type: 'write' }>): Words {
  const parts: string[] = [event.op];
  if (event.version !== null) parts.push(`version ${event.version}`);
  if (event.fence !== null) parts.push(`fence ${event.fence}`);
  if (event.replayed) parts.push('answered from its idempotency key');
  if (event.outcome === 'applied') parts.push(`cache ${event.cache}`);
  if (event.code !== null) parts.push(event.code);
  parts.push(ms(event.totalMs));
  const type = {
    applied: 'write',
    not_applied: 'write refused',
    unknown: 'write unknown',
  }[event.outcome];
  return { type, detail: parts.join(', ') };
}

function describeRead(event: Extract<KeyedEvent, { type: 'read' }>, count: number): Words {
  const from = event.code ?? `from ${event.source ?? 'nowhere'}`;
  const times = count === 1 ? ms(event.totalMs) : `${count} in a row`;
  return { type: event.code === null ? 'read' : 'read failed', detail: `${from}, ${times}` };
}

const ms = (valueMs: number): string =>
  `${valueMs < 10 ? valueMs.toFixed(1) : Math.round(valueMs)} ms`;
