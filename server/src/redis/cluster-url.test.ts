import { describe, expect, it } from 'vitest';
import {
  clusterMember,
  type ClusterMembers,
  isClusterUrl,
  memberUrl,
  parseClusterUrl,
  printClusterUrl,
} from './cluster-url.ts';

const NOBODY = { username: null, password: null };
const MEMBERS = [
  { host: 'a.example', port: 6379 },
  { host: '[::1]', port: 6380 },
];

describe('the URL of a Redis Cluster', () => {
  it('names its members', () => {
    const url = printClusterUrl({ members: MEMBERS, ...NOBODY });
    expect(url).toBe('redis+cluster://a.example:6379,[::1]:6380');
    expect(isClusterUrl(url)).toBe(true);
    expect(isClusterUrl('redis://a.example:6379')).toBe(false);
  });

  it.each<[string, Partial<ClusterMembers>]>([
    ['no credentials', {}],
    ['a password', { password: 'p@:/?#&=,% +ü' }],
    ['a user', { username: 'u:@/', password: 'p' }],
  ])('is read as it was written: with %s', (_, given) => {
    const cluster = { members: MEMBERS, ...NOBODY, ...given };
    expect(parseClusterUrl(printClusterUrl(cluster))).toEqual(cluster);
  });

  it('tells nothing of itself where it is none', () => {
    for (const url of ['redis://u:secret@a', 'redis+cluster://', 'redis+cluster://u:secret@'])
      expect(() => parseClusterUrl(url)).toThrow(/^It is not the URL of a Redis Cluster\.$/);
  });

  it('gives the URL of one member, with the credentials of all', () => {
    const member = clusterMember('redis://other.example');
    expect(member).toEqual({ host: 'other.example', port: 6379 });
    const cluster = { members: MEMBERS, username: 'u', password: 'p@' };
    expect(memberUrl(member, cluster)).toBe('redis://u:p%40@other.example:6379');
  });
});
