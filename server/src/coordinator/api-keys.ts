import type { Database } from '../database/index.ts';
import { createApiKeyStore, KnownKeys } from '../identities/index.ts';
import type { EngineOptions } from './engine-options.ts';
import type { Teardown } from './teardown.ts';

/** The API keys, as they are in the database from now on. Null with `auth: off`: nobody shows one. */
export async function followApiKeys(
  { config, runtime }: Pick<EngineOptions, 'config' | 'runtime'>,
  database: Database,
  teardown: Teardown,
): Promise<KnownKeys | null> {
  if (config.auth.mode === 'off') return null;
  const keys = new KnownKeys(createApiKeyStore(database), runtime);
  teardown.add('API keys', () => keys.stop());
  await keys.start();
  return keys;
}
