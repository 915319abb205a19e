/**
 * A set of Redis servers that Sentinels watch, in one URL, so that it can stand wherever the URL of a single server can:
 *
 *   redis+sentinel://user:password@host:26379,other:26379/0?name=main&sentinel-username=u&sentinel-password=p
 *
 * The user and the password are the master's, and the path is the number of its database. Those of the Sentinels are
 * parameters. Every part is percent-encoded.
 */

/** In a URL, an IPv6 address is in brackets. */
export interface SentinelAddress {
  host: string;
  port: number;
}

/** A user and its password; null: none. */
export interface Credentials {
  username: string | null;
  password: string | null;
}

/** Redis servers that Sentinels watch: one master, and replicas that can take its place. */
export interface SentinelSet extends Credentials {
  /** At least one. */
  sentinels: readonly SentinelAddress[];
  /** Of the Sentinels themselves. */
  ofSentinels: Credentials;
  /** The name by which the Sentinels know the master. */
  name: string;
  /** The number of the database on the master. */
  databaseNumber: number;
}

const SCHEME = 'redis+sentinel://';
const DEFAULT_PORT = 26_379;

export const isSentinelUrl = (url: string): boolean => url.startsWith(SCHEME);

export function printSentinelUrl({ sentinels, ofSentinels, name, ...set }: SentinelSet): string {
  const hosts = sentinels.map(({ host, port }) => `${host}:${port}`).join(',');
  const parameters = Object.entries({
    name,
    'sentinel-username': ofSentinels.username,
    'sentinel-password': ofSentinels.password,
  }).flatMap(([key, value]) => (value === null ? [] : [`${key}=${encodeURIComponent(value)}`]));
  return `${SCHEME}${userPart(set)}${hosts}/${set.databaseNumber}?${parameters.join('&')}`;
}

/** @throws TypeError if it is not the URL of such a set. The message contains no part of the URL */
export function parseSentinelUrl(url: string): SentinelSet {
  const match = /^redis\+sentinel:\/\/(?:([^@/?]*)@)?([^@/?]+)\/(\d+)\?([^#]*)$/.exec(url);
  const [, user = '', hosts = '', number = '', query = ''] = match ?? [];
  const parameters = new URLSearchParams(query.replaceAll('+', '%2B'));
  const name = parameters.get('name') ?? '';
  if (name === '') throw new TypeError('It is not the URL of a set of Sentinels.');
  const [username = '', password = ''] = user.split(':', 2).map(decodeURIComponent);
  return {
    sentinels: hosts.split(',').map(addressOf),
    ofSentinels: {
      username: parameters.get('sentinel-username'),
      password: parameters.get('sentinel-password'),
    },
    name,
    username: username === '' ? null : username,
    password: password === '' ? null : password,
    databaseNumber: Number(number),
  };
}

/** The URL of one server of the set, with the same user, password and database. */
export const serverOfSet = (
  { host, port }: SentinelAddress,
  set: Credentials & Pick<SentinelSet, 'databaseNumber'>,
): string =>
  `redis://${userPart(set)}${host.includes(':') ? `[${host}]` : host}:${port}/${set.databaseNumber}`;

/** The address of a Sentinel in `redis://host:port`, with or without the port. */
export function sentinelAddress(url: string): SentinelAddress {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: port === '' ? DEFAULT_PORT : Number(port) };
}

/** The user and the password in a URL. */
export function credentialsOf(url: string): Credentials {
  const { username, password } = new URL(url);
  return {
    username: username === '' ? null : decodeURIComponent(username),
    password: password === '' ? null : decodeURIComponent(password),
  };
}

function userPart({ username, password }: Credentials): string {
  if (username === null && password === null) return '';
  const [user = '', secret = ''] = [username ?? '', password ?? ''].map(encodeURIComponent);
  return `${user}:${secret}@`;
}

/** An IPv6 address is in brackets. */
function addressOf(text: string): SentinelAddress {
  const [, host = '', port = ''] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text) ?? [];
  if (host === '') throw new TypeError('A Sentinel has no host.');
  return { host, port: port === '' ? DEFAULT_PORT : Number(port) };
}
