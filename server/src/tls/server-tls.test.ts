import { describe, expect, it } from 'vitest';
import {
  isUnchecked,
  parseTlsMode,
  type ServerTls,
  splitTls,
  tlsOptions,
  withTls,
} from './index.ts';

const NONE: ServerTls = { mode: 'verify-full', ca: null, cert: null, key: null, serverName: null };
const PEM = '-----BEGIN CERTIFICATE-----\na+b/c=\n-----END CERTIFICATE-----\n';

describe('TLS in a URL', () => {
  it('is read from the parameters of PostgreSQL and of MySQL, and the others stay', () => {
    expect(splitTls('postgres://u@h:1/d?sslmode=verify-ca&a=b&sslrootcert=%2Fca')).toEqual({
      url: 'postgres://u@h:1/d?a=b',
      tls: { ...NONE, mode: 'verify-ca', ca: '/ca' },
    });
    expect(splitTls('mysql://h/d?ssl-mode=VERIFY_IDENTITY&ssl-cert=c&ssl-key=k')).toEqual({
      url: 'mysql://h/d',
      tls: { ...NONE, cert: 'c', key: 'k' },
    });
  });

  it('leaves a URL as it was written where it says nothing of TLS', () => {
    for (const url of ['redis://h', 'redis://:p%3F@h/0?family=6', 'mysql://h/d?ssl=%7B%7D'])
      expect(splitTls(url)).toEqual({ url, tls: null });
  });

  it('comes out as it went in', () => {
    const tls = { mode: 'verify-full', ca: PEM, cert: PEM, key: PEM, serverName: 'x.y' } as const;
    for (const url of ['rediss://h:1/0', 'postgres://u:p@h/d?application_name=a+b'])
      expect(splitTls(withTls(url, tls)).tls).toEqual(tls);
  });

  it('refuses modes that protect from nobody, and takes other names of the rest', () => {
    for (const mode of ['prefer', 'allow', 'PREFERRED', '', 'on'])
      expect(parseTlsMode(mode)).toBeUndefined();
    expect(() => splitTls('postgres://h/d?sslmode=prefer')).toThrow('prefer');
    expect(['no-verify', 'REQUIRED', 'DISABLED', 'VERIFY_CA'].map(parseTlsMode)).toEqual([
      'require',
      'require',
      'disable',
      'verify-ca',
    ]);
  });
});

describe('the options of a connection', () => {
  it('check as much as the mode says; require checks where authorities are given, as libpq does', () => {
    const checks = (mode: ServerTls['mode'], ca: string | null) => {
      const options = tlsOptions({ ...NONE, mode, ca });
      return options === false ? false : options.rejectUnauthorized;
    };
    expect(checks('disable', null)).toBe(false);
    expect([checks('require', null), checks('require', PEM)]).toEqual([false, true]);
    expect([checks('verify-ca', null), checks('verify-full', null)]).toEqual([true, true]);
    expect(isUnchecked('postgres://h/d?sslmode=require')).toBe(true);
    expect(isUnchecked('postgres://h/d?sslmode=verify-full')).toBe(false);
  });
});
