export { createApi } from './api.ts';
export { type Authenticator, createAuthenticator, type Role } from './authentication.ts';
export { createKeyInspector } from './key-inspector.ts';
export { createRefusals } from './refusals.ts';
export type { ApiLimits, ApiOptions, OpsServices } from './ports.ts';
