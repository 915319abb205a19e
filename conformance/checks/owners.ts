import type { EntryParts } from '../entries.ts';
import { HEARD_WITHIN_MS, type Station } from '../station.ts';
import { atWarmStation, type Check } from './check.ts';
import { expectAllFromCoordinator } from './many.ts';

const NOTE = { note: 'in the database' };

/** Owners that are not exactly the resource's. */
function strangers(owner: string): (readonly [label: string, parts: EntryParts])[] {
  const [cluster = '', rest = ''] = owner.split(/\/(.*)/s);
  const [resource = '', columns = ''] = rest.split('#');
  return [
    ['a value of another cluster', { owner: `other/${rest}` }],
    ['a value of another resource', { owner: `${cluster}/other#${columns}` }],
    ['a value of other columns', { owner: `${cluster}/${resource}#000000000000` }],
    ['a value whose owner begins with the resource’s', { owner: `${owner}0` }],
    ['a value whose owner is the beginning of the resource’s', { owner: owner.slice(0, -1) }],
    ['a value whose owner is in other letters', { owner: owner.toUpperCase() }],
    ['a value whose owner is empty', { owner: '' }],
    ['a value that names no owner', { more: { o: undefined } }],
  ];
}

/** Another owner's value is none, and makes the reader ask for the resources. */
export const owners: Check = {
  rules: ['RP5'],
  run: async (options) => {
    // It asks for the resources by itself so rarely that only an entry can make it ask.
    await atWarmStation({ ...options, refreshMs: 600_000 }, async (station) => {
      const entries = strangers(station.servers.resource('account').owner);
      for (const [label, parts] of entries) {
        const row = await station.row('account', NOTE);
        const marked = await station.putMarked(row, parts);
        await station.expectCoordinator('RP5', label, row, marked);
      }
      // A coordinator takes a value that names no owner for its own.
      await expectAllFromCoordinator(station, 'RP5', entries.slice(0, -1));
      await asksAgain(station);
    });
    await atWarmStation(options, changedOwner);
  },
};

async function asksAgain(station: Station): Promise<void> {
  const { catalogsAnswered } = station.coordinator;
  const row = await station.row('account', NOTE);
  const hasAsked = await station.within(10_000, async () => {
    await station.putMarked(row, { owner: 'other/account#000000000000' });
    await station.get(row);
    return station.coordinator.catalogsAnswered > catalogsAnswered;
  });
  if (!hasAsked)
    station.broken(
      'RP5',
      'for 10 s values of another owner were read, and the resources were not asked for again',
    );
}

/** The resource has another owner from now on, as after a change of its columns. */
async function changedOwner(station: Station): Promise<void> {
  const { owner } = station.servers.resource('account');
  const next = owner.replace(/#.*/, '#aaaaaaaaaaaa');
  const [former, later] = [await station.row('account', NOTE), await station.row('account', NOTE)];
  station.coordinator.change = ({ resources }) => {
    for (const resource of resources) if (resource.name === 'account') resource.owner = next;
  };
  const told = station.coordinator.catalogsAnswered;
  const isFollowed = await station.within(HEARD_WITHIN_MS, async () => {
    const wanted = await station.putMarked(later, { owner: next });
    const { answer, asked } = await station.get(later);
    return asked.length === 0 && 'value' in answer && answer.version === wanted.version;
  });
  if (!isFollowed) {
    station.broken(
      station.wasToldAgain(told) ? 'RP5' : 'RP10',
      'after a change of its owner, the resource’s own values were not read within 15 s',
    );
    return;
  }
  const marked = await station.putMarked(former);
  await station.expectCoordinator('RP5', 'a value of the owner before a change', former, marked);
}
