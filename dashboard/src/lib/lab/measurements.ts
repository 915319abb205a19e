import type { Measurements } from '@lockstep/lab';
import saved from '../../../../bench/results/staleness.json';

/** The measurements on real servers at the time when the dashboard was built. */
export const measurements: Measurements = saved;
