import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { request } from 'undici';
import { findFreePort } from '../../server/src/embedded/free-port.ts';
import { eventually } from '@lockstep/testkit/poll';

/** Debian has it where only an administrator's PATH leads. */
const USUAL_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

/** The system's nginx; undefined where there is none. */
export function findNginx(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...USUAL_FOLDERS];
  return folders.map((folder) => join(folder, 'nginx')).find((path) => existsSync(path));
}

/** A real nginx in front of several addresses, with everything about them left at its default. */
export class Nginx {
  readonly url: string;
  readonly #folder: string;
  readonly #child: ChildProcess;

  private constructor(url: string, folder: string, child: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#child = child;
  }

  /** @param upstreams `host:port` each */
  static async start(command: string, upstreams: readonly string[]): Promise<Nginx> {
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-nginx-'));
    const port = await findFreePort();
    const file = join(folder, 'nginx.conf');
    writeFileSync(file, configuration(folder, port, upstreams));
    const child = spawn(command, ['-p', folder, '-c', file, '-e', join(folder, 'error.log')], {
      stdio: 'ignore',
    });
    await once(child, 'spawn');
    const nginx = new Nginx(`http://127.0.0.1:${port}`, folder, child);
    try {
      await eventually(async () => (await request(`${nginx.url}/livez`)).body.dump());
    } catch (error) {
      await nginx.stop();
      throw error;
    }
    return nginx;
  }

  async stop(): Promise<void> {
    const exited = this.#child.exitCode === null ? once(this.#child, 'exit') : undefined;
    this.#child.kill('SIGTERM');
    await exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function configuration(folder: string, port: number, upstreams: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
worker_processes 2;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  upstream lockstep {
    ${upstreams.map((address) => `server ${address};`).join('\n    ')}
  }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://lockstep; }
  }
}
`;
}
