/** One thing that the operator should know, or do something about. */
export interface Remark {
  level: 'watch' | 'act';
  /** What is wrong. */
  what: string;
  /** What that means, and what is safe to do. */
  safe: string;
  href: string;
}
