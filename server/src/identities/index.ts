export { Access, type Needs } from './access.ts';
export { newKeyText, newSecret, prefixOf } from './key-text.ts';
export { type KeyHolder, KnownKeys, type ShownKey } from './known-keys.ts';
export type * from './port.ts';
export {
  type Action,
  ALL_RESOURCES,
  parseScope,
  type Role,
  ROLES,
  type Scope,
  scopeTexts,
} from './scopes.ts';
export { createApiKeyStore, MAX_VALID_KEYS } from './sql-key-store.ts';
