/** What the kit judges. `reads`, `form` and `run` have no number in docs/read-protocol.md. */
export const RULES = {
  reads: 'it reads values from the cache itself, without asking a coordinator',
  form: 'a value is answered as it stands: columns, version, digits; unknown fields are ignored',
  RP1: 'only the coordinators’ cache is read, and only a primary',
  RP2: 'a cache key is made only where its text is certain',
  RP3: 'nothing but a value is answered from the cache',
  RP4: 'a value with the body null says that there is no row',
  RP5: 'another owner’s value is none, and the resources are asked for again',
  RP6: 'what cannot be read as an entry is none',
  RP7: 'a cache that is away is passed by; without a coordinator only values are answered',
  RP8: 'a session sees nothing older than it has seen',
  RP9: 'no value is kept',
  RP10: 'what the resources say is followed when it changes',
  RP11: 'nothing is changed in the cache',
  run: 'a strict row is never read old under writes, cut and hanging connections',
} as const;

export type Rule = keyof typeof RULES;
export const RULE_NAMES = Object.keys(RULES) as Rule[];

export type Verdict = 'passed' | 'failed' | 'skipped' | 'not judged';

export interface Judgement {
  rule: Rule;
  verdict: Verdict;
  /** What was seen, or why it was skipped or not judged. */
  seen: string[];
}

/** Collects what is found, and which rules were judged to the end. */
export class Findings {
  readonly #broken = new Map<Rule, Set<string>>();
  readonly #notJudged = new Map<Rule, Set<string>>();
  readonly #skipped = new Map<Rule, string>();
  readonly #judged = new Set<Rule>();

  /** The rule was broken. @param seen in one sentence: what was done, and what the reader did */
  broken(rule: Rule, seen: string): void {
    add(this.#broken, rule, seen);
  }

  judged(rules: readonly Rule[]): void {
    for (const rule of rules) this.#judged.add(rule);
  }

  notJudged(rules: readonly Rule[], why: string): void {
    for (const rule of rules) add(this.#notJudged, rule, why);
  }

  skipped(rule: Rule, why: string): void {
    this.#skipped.set(rule, why);
  }

  judgements(): Judgement[] {
    return RULE_NAMES.map((rule) => {
      const broken = this.#broken.get(rule);
      if (broken !== undefined) return { rule, verdict: 'failed', seen: [...broken] };
      const skipped = this.#skipped.get(rule);
      if (skipped !== undefined) return { rule, verdict: 'skipped', seen: [skipped] };
      const notJudged = this.#notJudged.get(rule);
      if (notJudged !== undefined) return { rule, verdict: 'not judged', seen: [...notJudged] };
      return this.#judged.has(rule)
        ? { rule, verdict: 'passed', seen: [] }
        : { rule, verdict: 'not judged', seen: ['nothing judged it'] };
    });
  }
}

function add(to: Map<Rule, Set<string>>, rule: Rule, text: string): void {
  const texts = to.get(rule);
  if (texts === undefined) to.set(rule, new Set([text]));
  else texts.add(text);
}
