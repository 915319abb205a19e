export { StaleWatch, type StaleWatchOptions } from './stale-watch.ts';
