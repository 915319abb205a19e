/** Something that the operator should know (`watch`) or act on (`act`). */
export interface Remark {
  level: 'watch' | 'act';
  /** What is wrong. */
  what: string;
  /** What that means, and what is safe to do. */
  safe: string;
  /** The page that shows more. */
  href: string;
}

export const watch = (what: string, safe: string, href = '#/'): Remark => ({
  level: 'watch',
  what,
  safe,
  href,
});

export const act = (what: string, safe: string, href = '#/'): Remark => ({
  ...watch(what, safe, href),
  level: 'act',
});
