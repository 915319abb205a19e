export { createApi } from './api.ts';
export { type Authenticator, createAuthenticator } from './authentication.ts';
export { createKeyInspector, lockNames, lockOn } from './key-inspector.ts';
export { createRefusals } from './refusals.ts';
export type { ApiLimits, ApiOptions, OpsServices } from './ports.ts';
