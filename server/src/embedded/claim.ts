/**
 * One coordinator per data folder.
 *
 * A claimant writes its own file into `claims/` and only then looks for others. Of two that come at the same moment at
 * least one sees the other, so both never hold the folder. One that sees a live claim withdraws its own, and tries
 * again a few times after a random pause, because the other may have withdrawn too. A claim counts while a process with
 * its id *and* start time lives. The claim of a dead owner is removed, also if another program has its process id by
 * now.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Random, Timers } from '../runtime/index.ts';
import { parseJson, readIfThere, writeFileAtomically } from './atomic-file.ts';
import { EmbeddedError } from './embedded-error.ts';
import { keepAlive } from './keep-alive.ts';
import { identityOf } from './processes.ts';

/** A data folder that only this process holds. */
export interface DataDirClaim {
  /** The folder's real, absolute path. */
  readonly dataDir: string;
  /** Gives it up. Idempotent. */
  release(): Promise<void>;
}

const claimSchema = z.object({ pid: z.int().positive(), identity: z.string() });
type Claim = z.infer<typeof claimSchema>;

const ATTEMPTS = 6;
const MAX_PAUSE_MS = 150;

/**
 * Creates the data folder if need be and claims it for this process.
 * @throws EmbeddedError naming the process that holds it.
 */
export function claimDataDir(
  dataDir: string,
  runtime: { timers: Timers; random: Random },
): Promise<DataDirClaim> {
  return keepAlive(claim(dataDir, runtime));
}

async function claim(
  dataDir: string,
  runtime: { timers: Timers; random: Random },
): Promise<DataDirClaim> {
  // If this process is root, others may enter the folder, because PostgreSQL runs as another account. They cannot read
  // its files.
  await mkdir(dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  const real = await realpath(dataDir);
  const folder = join(real, 'claims');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const own: Claim = { pid: process.pid, identity: identityOf(process.pid) ?? 'unknown' };
  for (let attempt = 1; ; attempt++) {
    const path = join(folder, `${own.pid}-${randomBytes(6).toString('hex')}.json`);
    await writeFileAtomically(path, JSON.stringify(own));
    const other = await findOther(folder, path);
    if (other === undefined) return { dataDir: real, release: () => rm(path, { force: true }) };
    await rm(path, { force: true });
    if (attempt === ATTEMPTS) {
      throw new EmbeddedError(
        `The data folder ${real} is in use by process ${other.pid}; stop it, or choose another --data-dir`,
      );
    }
    await runtime.timers.sleep(runtime.random.next() * MAX_PAUSE_MS);
  }
}

/** A live claim other than the one at `ownPath`; removes the dead ones that it meets. */
async function findOther(folder: string, ownPath: string): Promise<Claim | undefined> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (path === ownPath) continue;
    const text = await readIfThere(path);
    if (text === undefined) continue; // withdrawn meanwhile
    const claim = claimSchema.safeParse(parseJson(text)).data;
    if (claim && identityOf(claim.pid) === claim.identity) return claim;
    // A name is never used twice, so this cannot remove a new claim. But an incomplete text may belong to a claimant
    // that is still writing it, so it stays while that process lives.
    if (claim || identityOf(Number.parseInt(name, 10)) === undefined)
      await rm(path, { force: true });
  }
  return undefined;
}
