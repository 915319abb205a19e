/**
 * A Redis Cluster in one URL, so that it can stand wherever the URL of a single server can:
 *
 *   redis+cluster://user:password@host:6379,other:6379
 *
 * The addresses are members to begin with; the others are found by asking them. The user and the password are those of
 * every member. Every part is percent-encoded.
 */
import type { Credentials } from './server-url.ts';

export interface ClusterMembers extends Credentials {
  /** At least one. In a URL, an IPv6 address is in brackets. */
  members: readonly { host: string; port: number }[];
}

const SCHEME = 'redis+cluster://';
const DEFAULT_PORT = 6379;

export const isClusterUrl = (url: string): boolean => url.startsWith(SCHEME);

export function printClusterUrl({ members, username, password }: ClusterMembers): string {
  const hosts = members.map(({ host, port }) => `${host}:${port}`).join(',');
  if (username === null && password === null) return `${SCHEME}${hosts}`;
  const [user = '', secret = ''] = [username ?? '', password ?? ''].map(encodeURIComponent);
  return `${SCHEME}${user}:${secret}@${hosts}`;
}

/** @throws TypeError if it is not the URL of a Cluster. The message contains no part of the URL */
export function parseClusterUrl(url: string): ClusterMembers {
  const [, user = '', hosts = ''] =
    /^redis\+cluster:\/\/(?:([^@/?]*)@)?([^@/?]+)\/?$/.exec(url) ?? [];
  if (hosts === '') throw new TypeError('It is not the URL of a Redis Cluster.');
  const [username = '', password = ''] = user.split(':', 2).map(decodeURIComponent);
  return {
    members: hosts.split(',').map(memberOf),
    username: username === '' ? null : username,
    password: password === '' ? null : password,
  };
}

/** The address of a member in `redis://host:port`, with or without the port. */
export function clusterMember(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: port === '' ? DEFAULT_PORT : Number(port) };
}

/** The address in a name such as `10.0.0.1:6379` or `::1:6379`, as members tell it. */
export function namedMember(name: string): ClusterMembers['members'][number] {
  const end = name.lastIndexOf(':');
  const host = name.slice(0, end);
  return { host: host.includes(':') ? `[${host}]` : host, port: Number(name.slice(end + 1)) };
}

/** The URL of one member, with the same user and password. */
export const memberUrl = (
  member: ClusterMembers['members'][number],
  { username, password }: Credentials,
): string => printClusterUrl({ members: [member], username, password }).replace(SCHEME, 'redis://');

function memberOf(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text) ?? [];
  if (host === '') throw new TypeError('A member of a Cluster has no host.');
  return { host, port: port === '' ? DEFAULT_PORT : Number(port) };
}
