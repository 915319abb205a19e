/** An audit of a cache that no coordinator needs to own: it compares and reports, and changes nothing anywhere. */
import type { DriftClass } from '@lockstep/shared';
import type { Resource } from '../domain/index.ts';
import { driftAtMost } from './consistency.ts';
import type { ScanPorts } from './port.ts';
import { drawSample } from './sampling.ts';
import { confirmed, type Suspect, suspectsAmong } from './suspects.ts';

export interface ScanReport {
  resource: string;
  /** Keys that were looked at. */
  sampled: number;
  /** Those of them of which the cache holds a value, or something unreadable: only these can be wrong. */
  compared: number;
  drift: Record<DriftClass, number>;
  /** With 95% confidence at most this share of the entries is wrong; null where none was compared. */
  driftAtMost: number | null;
  findings: ScanFinding[];
}

export interface ScanFinding {
  class: DriftClass;
  key: string;
  cacheKey: string;
}

export interface ScanOptions {
  resource: Resource;
  sample: number;
  /** How long after the first look what differs is looked at again. */
  graceMs: number;
  signal: AbortSignal;
}

/** @throws LockstepError `DATABASE_UNAVAILABLE`, and what the entries' store throws */
export async function scanResource(ports: ScanPorts, options: ScanOptions): Promise<ScanReport> {
  const { resource, sample, graceMs, signal } = options;
  const look = { resource, signal, assertMayGoOn: () => signal.throwIfAborted() };
  const candidates = await drawSample(ports, resource, sample);
  const suspects: Suspect[] = [];
  let [sampled, compared] = [0, 0];
  for await (const found of suspectsAmong(ports, candidates, look)) {
    sampled += found.sampled;
    compared += found.compared;
    suspects.push(...found.suspects);
  }
  const drift = { stale: 0, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 0 };
  const findings: ScanFinding[] = [];
  if (suspects.length > 0) {
    await ports.runtime.timers.sleep(graceMs, signal);
    for await (const { observation, drift: kind } of confirmed(ports, suspects, look)) {
      drift[kind] += 1;
      const { key } = observation.candidate;
      findings.push({ class: kind, key: key.text, cacheKey: key.cacheKey });
    }
  }
  const bound = driftAtMost(compared, findings.length);
  return { resource: resource.name, sampled, compared, drift, driftAtMost: bound, findings };
}
