import type { Rule } from '../findings.ts';
import { Station, type StationOptions } from '../station.ts';

/** A part of what the kit judges. */
export interface Check {
  /** Those that it judges when it comes to its end. */
  rules: readonly Rule[];
  /** Ends its stations itself. @throws Error where it cannot be carried out */
  run(options: StationOptions): Promise<void>;
}

/** Opens a station for the work, and closes it. */
export async function atStation<T>(
  options: StationOptions,
  work: (station: Station) => Promise<T>,
): Promise<T> {
  const station = await Station.open(options);
  try {
    return await work(station);
  } finally {
    await station.close();
  }
}

/** The same, when it reads the cache. */
export const atWarmStation = <T>(
  options: StationOptions,
  work: (station: Station) => Promise<T>,
): Promise<T> =>
  atStation(options, async (station) => {
    await station.warmUp();
    return work(station);
  });
