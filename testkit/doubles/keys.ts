import {
  makeKey,
  type Key,
  type Telemetry,
  type TelemetryEvent,
} from '../../server/src/domain/index.ts';
import { resource } from './resource.ts';

const ACCOUNT = resource();

/** A key of the resource `account`. */
export function accountKey(id: number): Key {
  return makeKey(ACCOUNT, [String(id)]);
}

/** Telemetry that keeps all events. */
export function recordingTelemetry(): Telemetry & { events: TelemetryEvent[] } {
  const events: TelemetryEvent[] = [];
  return { events, emit: (event) => events.push(event) };
}

/** Jain's index of fairness: 1 where all shares are equal, 1/n where one takes all. */
export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}
