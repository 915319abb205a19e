export * from './cache-key.ts';
export type * from './column.ts';
export * from './entry-life.ts';
export * from './errors.ts';
export * from './key.ts';
export * from './related-keys.ts';
export type * from './resource.ts';
export type * from './telemetry.ts';
export type * from './write.ts';
