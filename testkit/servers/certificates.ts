import { execFile } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Account } from '../../server/src/embedded/account.ts';

/** A certificate in a file, and its key in another one. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** An authority of the test's own, and what it has signed. Needs `openssl`. */
export interface TestCertificates {
  /** The authority's certificate. */
  ca: string;
  /** For a client. */
  client: CertificateFiles;
  /** For a server that runs under this account. It is for `SERVER_NAME` alone, wherever the server is. */
  server(account?: Account): CertificateFiles;
  dispose(): void;
}

export const SERVER_NAME = 'server.lockstep.test';

export async function makeCertificates(): Promise<TestCertificates> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-certificates-'));
  // Servers with accounts of their own read from it.
  chmodSync(folder, 0o755);
  const files = (name: string): CertificateFiles => ({
    cert: join(folder, `${name}.pem`),
    key: join(folder, `${name}.key`),
  });
  const authority = files('authority');
  const signed = ['-CA', authority.cert, '-CAkey', authority.key];
  await make(authority, '/CN=An authority', []);
  await make(files('server'), `/CN=${SERVER_NAME}`, [
    ...[...signed, '-addext', `subjectAltName=DNS:${SERVER_NAME}`],
    ...['-addext', 'basicConstraints=critical,CA:FALSE'],
  ]);
  await make(files('client'), '/CN=lockstep', [
    ...[...signed, '-addext', 'basicConstraints=critical,CA:FALSE'],
  ]);
  let copies = 0;
  return {
    ca: authority.cert,
    client: files('client'),
    server(account) {
      const [own, copy] = [files('server'), files(`server-${(copies += 1)}`)];
      for (const kind of ['cert', 'key'] as const) {
        copyFileSync(own[kind], copy[kind]);
        chmodSync(copy[kind], 0o600);
        if (account !== undefined) chownSync(copy[kind], account.uid, account.gid);
      }
      return copy;
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function make(
  { cert, key }: CertificateFiles,
  subject: string,
  more: readonly string[],
): Promise<void> {
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '2', '-subj', subject, '-keyout', key, '-out', cert, ...more],
  ]);
}
