import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { hostFault, originFault } from './index.ts';

const request = (headers: Record<string, string>): IncomingMessage =>
  ({ headers }) as unknown as IncomingMessage;
const OFF = { mode: 'off', origins: ['https://ops.test'] } as const;
const REQUIRED = { mode: 'required', origins: ['https://ops.test'] } as const;

describe('without tokens', () => {
  it.each([
    'localhost',
    'localhost:7400',
    '127.0.0.1:7400',
    '127.1.2.3',
    '[::1]:7400',
    'ops.test',
    'ops.test:443',
  ])('the host %s is ours', (host) => expect(hostFault(request({ host }), OFF)).toBeNull());
  it.each([
    'evil.test',
    'evil.test:7400',
    'localhost.evil.test',
    '127.0.0.1.evil.test',
    'x@localhost',
    '',
    'ops.test:80',
  ])('the host %j is not', (host) => expect(hostFault(request({ host }), OFF)).not.toBeNull());
  it('a page may not name its own host beside ours', () => {
    const headers = {
      host: 'localhost:7400',
      origin: 'http://evil.test',
      'x-forwarded-host': 'evil.test',
    };
    expect(originFault(request(headers), OFF)).not.toBeNull();
  });
});

describe.each([OFF, REQUIRED])('with auth.mode $mode', (rule) => {
  const host = 'localhost:7400';
  it('a program that is no browser, a page of ours, and one that is configured may call', () => {
    for (const headers of [
      { host },
      { host, origin: 'http://localhost:7400' },
      { host, origin: 'https://ops.test' },
    ]) {
      expect(originFault(request(headers), rule)).toBeNull();
    }
  });
  it.each([
    'http://evil.test',
    'null',
    'http://localhost:7401',
    'http://localhost',
    'https://ops.test.evil.test',
    'http://ops.test',
    '',
    'localhost:7400',
    'file://',
  ])('a page of %j may not', (origin) =>
    expect(originFault(request({ host, origin }), rule)).not.toBeNull(),
  );
});

it('behind a proxy that changes Host, the page’s own host is taken as it says', () => {
  const headers = {
    host: '10.0.0.1:7400',
    origin: 'https://shop.test',
    'x-forwarded-host': 'shop.test',
  };
  expect(originFault(request(headers), REQUIRED)).toBeNull();
  expect(
    originFault(request({ ...headers, 'x-forwarded-host': 'other.test' }), REQUIRED),
  ).not.toBeNull();
});
