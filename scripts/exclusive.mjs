// @ts-check
/**
 * One at a time, across processes, for set-up and builds of one working copy.
 *
 * The lock is a folder of numbered files; the process that creates the highest number holds it, until that file says `free` or
 * its process is gone. A number is created only once (the file system sees to that) and the highest one is never
 * deleted, so two that find a dead owner at the same moment cannot both take over.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT, say, SetupError } from './process.mjs';

const POLL_MS = 200;
const MAX_WAIT_MS = 15 * 60_000;

/**
 * Runs `work` while no other process does, for the same working copy and user.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function exclusively(work) {
  const hash = createHash('sha256').update(ROOT).digest('hex').slice(0, 16);
  const folder = join(tmpdir(), `lockstep-setup-${userInfo().uid}-${hash}`);
  const path = await acquire(folder);
  try {
    return await work();
  } finally {
    replaceFile(path, 'free');
  }
}

/** @param {string} folder */
async function acquire(folder) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const deadline = Date.now() + MAX_WAIT_MS;
  let told = false;
  for (;;) {
    const highest = Math.max(0, ...readdirSync(folder).map(Number).filter(Number.isInteger));
    const owner = highest === 0 ? undefined : liveOwner(join(folder, String(highest)));
    if (owner === undefined) {
      const path = join(folder, String(highest + 1));
      if (createFile(path, JSON.stringify({ pid: process.pid, started: startOf(process.pid) }))) {
        for (const name of readdirSync(folder)) {
          if (Number(name) < highest) rmSync(join(folder, name), { force: true });
        }
        return path;
      }
      continue; // another one was faster
    }
    if (Date.now() > deadline) {
      throw new SetupError(
        `process ${owner} has been setting up for 15 minutes; end it, or remove ${folder}`,
      );
    }
    if (!told) say(`waiting for process ${owner}, which is setting up`);
    told = true;
    await sleep(POLL_MS);
  }
}

/**
 * The process that holds the lock file, if it still lives.
 * @param {string} path
 * @returns {number | undefined}
 */
function liveOwner(path) {
  try {
    const { pid, started } = JSON.parse(readFileSync(path, 'utf8'));
    process.kill(pid, 0);
    return startOf(pid) === started ? pid : undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'EPERM' ? -1 : undefined;
  }
}

/**
 * Tells a process from a later one with the same id, where the system says.
 * @param {number} pid
 */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'gone' : fields[19];
  } catch {
    return 'unknown';
  }
}

/**
 * Creates a file with its whole text at once, or says that there is one already.
 * @param {string} path
 * @param {string} text
 */
function createFile(path, text) {
  const draft = writeDraft(path, text);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Writes a file in one step: a reader gets the old or the new text whole.
 * @param {string} path
 * @param {string} text
 */
export function replaceFile(path, text) {
  renameSync(writeDraft(path, text), path);
}

/**
 * @param {string} path
 * @param {string} text
 */
function writeDraft(path, text) {
  const draft = `${path}.draft-${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, text, { mode: 0o600 });
  return draft;
}
