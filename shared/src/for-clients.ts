/** What a program needs that reads entries and calls the API. It is bundled into `@lockstep/client`: no dependencies. */
export * from './cache-key-text.ts';
export * from './catalog.ts';
export * from './entry.ts';
export * from './errors.ts';
export * from './exact-json.ts';
export * from './json.ts';
export * from './log-position.ts';
export * from './policy.ts';
export * from './seen-token.ts';
