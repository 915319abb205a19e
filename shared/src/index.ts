export * from './entry.ts';
export * from './errors.ts';
export * from './exact-json.ts';
export * from './findings.ts';
export * from './json.ts';
export * from './live.ts';
export type * from './ops.ts';
export * from './policy.ts';
export * from './raw-entry.ts';
