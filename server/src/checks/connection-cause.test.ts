import { describe, expect, it } from 'vitest';
import { causeOf } from './connection-cause.ts';

const URL_WITH_SECRET = 'postgres://app:hunter2%21@db.test:5432/shop';
const coded = (code: string, message = 'what the driver says') =>
  Object.assign(new Error(message), { code });
const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });
const server = (errno: number, message: string) =>
  Object.assign(new Error(message), { errno, sqlState: 'HY000' });

describe('why a server cannot be used', () => {
  it.each<[string, Error, RegExp, boolean]>([
    ['an expired certificate', coded('CERT_HAS_EXPIRED'), /certificate that has expired/, false],
    [
      'a certificate of another host',
      coded('ERR_TLS_CERT_ALTNAME_INVALID'),
      /certificate for another host name/,
      false,
    ],
    [
      'an expired certificate behind MySQL’s own code',
      coded('HANDSHAKE_SSL_ERROR', 'certificate has expired'),
      /certificate that has expired/,
      false,
    ],
    [
      'no TLS where the server wants it',
      coded('28000', 'no pg_hba.conf entry for host "10.0.0.1", user "a", no encryption'),
      /with TLS only/,
      false,
    ],
    [
      'a wrong password of Redis',
      reply('WRONGPASS invalid username-password pair'),
      /refuses the user or the password/,
      false,
    ],
    ['a server that loads its data', reply('LOADING Redis is loading'), /starting up/, true],
    ['a database that is unknown', server(1049, "Unknown database 'x'"), /no such database/, false],
    ['no connection left', server(1040, 'Too many connections'), /no connection left/, true],
    ['an unknown host', coded('ENOTFOUND'), /its host name is not known/, true],
    ['silence', new Error('Connection terminated due to connection timeout'), /in time/, true],
  ])('is told in plain words: %s', (_name, error, words, mayPass) => {
    const wrapped = new Error('outer', { cause: new Error('inner', { cause: error }) });
    const cause = causeOf(wrapped, URL_WITH_SECRET);
    expect(cause.words).toMatch(words);
    expect(cause.mayPass).toBe(mayPass);
  });

  it('never holds the password of the URL, or that of another one', () => {
    for (const text of [
      'cannot reach postgres://x:other@host',
      'password hunter2! is wrong',
      'hunter2%21',
    ]) {
      const { words } = causeOf(new Error(text), URL_WITH_SECRET);
      expect(words).not.toMatch(/hunter2|other/);
    }
  });
});
