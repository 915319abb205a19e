import type { Measurements } from '@lockstep/lab';
import saved from '../../../../bench/results/staleness.json';

/** What was measured on real servers, as it was when the dashboard was built. */
export const measurements: Measurements = saved;
