import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A system account that a server runs as. */
export interface Account {
  uid: number;
  gid: number;
}

/** How to start a program so that it does not run as root. */
export interface Launch {
  command: string;
  args: string[];
  uid?: number;
  gid?: number;
}

/**
 * The account that PostgreSQL runs as, because it refuses to run as root: undefined when we are not root ourselves.
 * In order: the owner of an existing data folder, `postgres`, a system account `lockstep` made for it, `nobody`.
 * @param dataFolder the folder that an earlier start may have left.
 */
export function postgresAccount(dataFolder: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(dataFolder, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const account = findAccount('postgres') ?? findAccount('lockstep') ?? createAccount('lockstep');
  const last = account ?? findAccount('nobody');
  if (last === undefined) {
    throw new Error(
      'PostgreSQL does not run as root and no other account exists; add one: useradd --system postgres',
    );
  }
  return last;
}

/** Looks an account up by name in /etc/passwd; never root. */
export function findAccount(name: string): Account | undefined {
  let users: string;
  try {
    users = readFileSync('/etc/passwd', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of users.split('\n')) {
    const [user, , uid, gid] = line.split(':');
    if (user === name && Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

function createAccount(name: string): Account | undefined {
  try {
    const shell = '/usr/sbin/nologin';
    execFileSync(
      'useradd',
      ['--system', '--user-group', '--no-create-home', '--shell', shell, name],
      {
        stdio: 'ignore',
      },
    );
  } catch {
    // Another start may have made it at the same moment, or there is no useradd here: the look-up shows which.
  }
  return findAccount(name);
}

/**
 * How to run `command` as `account`. If the account may not enter the folders above `paths` (a clone under /root, a
 * data folder under a private temp folder), the program keeps the one capability that lets it enter them.
 * @throws Error when that is needed and `setpriv` is not there.
 */
export function launchAs(
  account: Account | undefined,
  command: string,
  args: string[],
  paths: readonly string[],
): Launch {
  if (account === undefined) return { command, args };
  const closed = paths
    .map((path) => firstClosedFolder(path, account))
    .find((path) => path !== undefined);
  if (closed === undefined) return { command, args, ...account };
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find(
    (path) => statSync(path, { throwIfNoEntry: false }) !== undefined,
  );
  if (setpriv === undefined) {
    throw new Error(
      `PostgreSQL runs as uid ${account.uid}, which may not enter ${closed}; allow it (chmod o+x ${closed}) or choose another folder`,
    );
  }
  const capability = '+dac_override';
  const capabilities = [
    ...[
      '--bounding-set',
      `-all,${capability}`,
      '--inh-caps',
      capability,
      '--ambient-caps',
      capability,
    ],
    // Without this bit, access(2), by which PostgreSQL looks for its own files, ignores the capabilities of other
    // users.
    ...['--securebits', '+no_setuid_fixup'],
  ];
  const identity = [
    '--reuid',
    String(account.uid),
    '--regid',
    String(account.gid),
    '--clear-groups',
  ];
  return { command: setpriv, args: [...identity, ...capabilities, '--', command, ...args] };
}

/** The first folder above `path` that `account` may not enter. */
function firstClosedFolder(path: string, account: Account): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : firstClosedFolder(parent, account);
  if (above !== undefined) return above;
  const { mode, uid, gid } = statSync(parent);
  const searchBit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  return (mode & searchBit) === 0 ? parent : undefined;
}
