/** The part of the view's state that is in the address: filters, sort order, open panels. */
import { replace, router } from 'svelte-spa-router';
import { SvelteURLSearchParams } from 'svelte/reactivity';

/** One parameter of the address; an empty string where it is absent. */
export function param(name: string): string {
  return new SvelteURLSearchParams(router.querystring ?? '').get(name) ?? '';
}

/** Changes parameters in place, without an entry in the history. An empty value removes one. */
export function setParams(changes: Record<string, string>): void {
  const params = new SvelteURLSearchParams(router.querystring ?? '');
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') params.delete(name);
    else params.set(name, value);
  }
  const text = params.toString();
  void replace(text === '' ? router.location : `${router.location}?${text}`);
}
