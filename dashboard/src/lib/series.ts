/** The last hour of metrics, bounded. Pure functions. */
import type { MetricsPoint } from '@lockstep/shared';

const HOUR_MS = 3_600_000;
/** One point a second for an hour. If there are more, because of a defect of the sender, the oldest are dropped. */
const MAX_POINTS = 3_600;
/** Two points further apart than this are not joined by a line. */
const GAP_MS = 20_000;

/**
 * Adds new points. A snapshot after a reconnection overlaps the earlier points, so everything from the first new point
 * on is replaced.
 */
export function mergeSeries(
  known: readonly MetricsPoint[],
  added: readonly MetricsPoint[],
): MetricsPoint[] {
  const first = added[0];
  const last = added.at(-1);
  if (first === undefined || last === undefined) return [...known];
  const oldestMs = last.atMs - HOUR_MS;
  const kept = known.filter((point) => point.atMs < first.atMs && point.atMs >= oldestMs);
  return [...kept, ...added.filter((point) => point.atMs >= oldestMs)].slice(-MAX_POINTS);
}

/** One line of a chart: a name, how to read it from a point, and how to draw it. */
export interface Line {
  label: string;
  value: (point: MetricsPoint) => number | null;
  /** Name of a CSS custom property. */
  color: string;
  dashed?: boolean;
}

/** Columns for the plotting library: the seconds first, then each line, with null for a gap. */
export function toColumns(
  points: readonly MetricsPoint[],
  lines: readonly Line[],
): [number[], ...(number | null)[][]] {
  const xs: number[] = [];
  const columns = lines.map((): (number | null)[] => []);
  let previousMs: number | undefined;
  for (const point of points) {
    if (previousMs !== undefined && point.atMs - previousMs > GAP_MS) {
      xs.push((previousMs + 1000) / 1000);
      for (const column of columns) column.push(null);
    }
    xs.push(point.atMs / 1000);
    lines.forEach((line, index) => columns[index]?.push(line.value(point)));
    previousMs = point.atMs;
  }
  return [xs, ...columns];
}

/** How much time the points cover. */
export function spanOf(points: readonly MetricsPoint[]): number {
  const first = points[0];
  const last = points.at(-1);
  return first === undefined || last === undefined ? 0 : last.atMs - first.atMs;
}
