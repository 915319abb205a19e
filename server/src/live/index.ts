export { LiveStream, type LiveOptions } from './live.ts';
export type { LiveSources } from './instance-snapshot.ts';
