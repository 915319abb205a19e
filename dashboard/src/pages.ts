/** The pages, for the navigation, the shortcuts and the router. Add a new page here. */
import Activity from '@lucide/svelte/icons/activity';
import FlaskConical from '@lucide/svelte/icons/flask-conical';
import KeyRound from '@lucide/svelte/icons/key-round';
import LockKeyhole from '@lucide/svelte/icons/lock-keyhole';
import ShieldCheck from '@lucide/svelte/icons/shield-check';
import Timer from '@lucide/svelte/icons/timer';
import Audits from './pages/Audits.svelte';
import Key from './pages/Key.svelte';
import Lab from './pages/Lab.svelte';
import Locks from './pages/Locks.svelte';
import Overview from './pages/Overview.svelte';
import Ttl from './pages/Ttl.svelte';

/** `letter`: the key after `g` that goes there. */
export const PAGES = [
  { letter: 'o', path: '/', name: 'Overview', icon: Activity, component: Overview },
  { letter: 'l', path: '/locks', name: 'Locks', icon: LockKeyhole, component: Locks },
  { letter: 't', path: '/ttl', name: 'TTL', icon: Timer, component: Ttl },
  { letter: 'a', path: '/audits', name: 'Audits', icon: ShieldCheck, component: Audits },
  { letter: 'k', path: '/key', name: 'Key', icon: KeyRound, component: Key },
  // `l` is taken by the locks.
  { letter: 'b', path: '/lab', name: 'Lab', icon: FlaskConical, component: Lab },
] as const;
