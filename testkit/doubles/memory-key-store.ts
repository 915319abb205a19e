import {
  Access,
  type ApiKeyStore,
  KnownKeys,
  newKeyText,
} from '../../server/src/identities/index.ts';
import { parseScope, type Role, type ValidApiKey } from '../../server/src/identities/index.ts';
import { systemRuntime } from '../../server/src/runtime/index.ts';

const quiet = (): void => undefined;
const { ids } = systemRuntime({ debug: quiet, info: quiet, warn: quiet, error: quiet });

/** Valid keys in memory. Counts how often it was asked for them. */
export class MemoryKeyStore implements Pick<ApiKeyStore, 'valid' | 'noteUsed'> {
  readonly keys: ValidApiKey[] = [];
  readonly used: string[] = [];
  looks = 0;
  /** Set: the database does not answer. */
  fault: Error | null = null;

  valid(): Promise<ValidApiKey[]> {
    this.looks += 1;
    return this.fault === null ? Promise.resolve([...this.keys]) : Promise.reject(this.fault);
  }

  noteUsed(used: readonly string[]): Promise<void> {
    this.used.push(...used);
    return Promise.resolve();
  }

  /** A new key's text. */
  add(
    scopes: readonly string[],
    role: Role | null = null,
    changes: Partial<ValidApiKey> = {},
  ): string {
    const { id, prefix, text, hash } = newKeyText(ids);
    this.keys.push({
      ...{ id, prefix, secretHash: hash, former: null, role, leftMs: null },
      scopes: scopes.flatMap((each) => {
        const parsed = parseScope(each);
        if ('fault' in parsed) throw new Error(`${each} ${parsed.fault}`);
        return parsed.scope;
      }),
      ...changes,
    });
    return text;
  }
}

/** What these scopes allow. */
export function accessOf(scopes: readonly string[], role: Role | null = null): Access {
  const store = new MemoryKeyStore();
  store.add(scopes, role);
  const [key] = store.keys;
  return new Access(role, key?.scopes ?? []);
}

/** The keys of a store, known from now on. */
export async function knownKeys(store: MemoryKeyStore): Promise<KnownKeys> {
  const keys = new KnownKeys(
    store,
    systemRuntime({ debug: quiet, info: quiet, warn: quiet, error: quiet }),
  );
  await keys.start();
  return keys;
}
