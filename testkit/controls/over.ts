/** `base` with some of its members replaced; the others run on `base` itself. */
export function over<T extends object>(base: T, replaced: Partial<T>): T {
  return new Proxy(base, {
    get(target, name): unknown {
      if (name in replaced) return Reflect.get(replaced, name);
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
