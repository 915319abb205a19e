export { createLive, type Live, type LiveOptions } from './live.ts';
export type { LiveSources } from './sources.ts';
