import { describe, expect, it } from 'vitest';
import {
  credentialsOf,
  isSentinelUrl,
  parseSentinelUrl,
  printSentinelUrl,
  sentinelAddress,
  type SentinelSet,
  serverOfSet,
} from './server-url.ts';

const NOBODY = { username: null, password: null };
const SET: SentinelSet = {
  sentinels: [
    { host: 'a.example', port: 26_379 },
    { host: '[::1]', port: 26_380 },
  ],
  ofSentinels: NOBODY,
  name: 'main',
  ...NOBODY,
  databaseNumber: 0,
};

describe('the URL of a set of Sentinels', () => {
  it('names the Sentinels, the master and its database', () => {
    const url = printSentinelUrl({ ...SET, databaseNumber: 2 });
    expect(url).toBe('redis+sentinel://a.example:26379,[::1]:26380/2?name=main');
    expect(isSentinelUrl(url)).toBe(true);
    expect(isSentinelUrl('redis://a.example:6379')).toBe(false);
  });

  it.each<[string, Partial<SentinelSet>]>([
    ['no credentials', {}],
    ['a password of the master', { password: 'p@:/?#&=,% +ü' }],
    ['a user of the master', { username: 'u:@/', password: 'p' }],
    ['a user without a password', { username: 'u' }],
    ['other credentials of the Sentinels', { ofSentinels: { username: '+&=', password: '@/ %+' } }],
    ['a name of any characters', { name: 'my/master?&=@+ü' }],
    ['a database', { databaseNumber: 15 }],
  ])('is read as it was written: with %s', (_, given) => {
    const set = { ...SET, ...given };
    expect(parseSentinelUrl(printSentinelUrl(set))).toEqual(set);
  });

  it('takes the usual port of Sentinels where there is none', () => {
    expect(parseSentinelUrl('redis+sentinel://h/0?name=m').sentinels).toEqual([
      { host: 'h', port: 26_379 },
    ]);
    expect(sentinelAddress('redis://u:p@h')).toEqual({ host: 'h', port: 26_379 });
    expect(sentinelAddress('redis://[::1]:7')).toEqual({ host: '[::1]', port: 7 });
  });

  it.each([
    'redis://:S3CRET@h:1',
    'redis+sentinel://:S3CRET@h:1/0',
    'redis+sentinel://:S3CRET@/0?name=m',
    'redis+sentinel://:S3CRET@h:x/0?name=m',
  ])('is refused without showing it: %s', (url) => {
    expect(() => parseSentinelUrl(url)).toThrow(TypeError);
    expect(() => parseSentinelUrl(url)).toThrow(/^(?!.*S3CRET)/);
  });
});

describe('the URL of one server of a set', () => {
  it('has the credentials and the database of the set', () => {
    const at = { host: '10.0.0.5', port: 6379 };
    expect(serverOfSet(at, SET)).toBe('redis://10.0.0.5:6379/0');
    const url = serverOfSet(at, { username: 'u', password: 'p@:', databaseNumber: 3 });
    expect(url).toBe('redis://u:p%40%3A@10.0.0.5:6379/3');
    expect(credentialsOf(url)).toEqual({ username: 'u', password: 'p@:' });
    expect(credentialsOf('redis://h')).toEqual(NOBODY);
  });
});
