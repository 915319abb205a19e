/**
 * The demo load's own process. It ends when its coordinator does, however that ends: their channel closes then.
 * It takes its orders over that channel, so a Ctrl-C in the terminal that both share is not its business.
 */
import { systemRuntime } from '../runtime/index.ts';
import { busiestAirports, readAirports, readRoutes } from './data-set.ts';
import { createLoadClient } from './load-client.ts';
import { isLoadStart } from './load-message.ts';
import { LoadPlan } from './load-plan.ts';
import { Load } from './load.ts';

const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

process.on('SIGINT', ignore);
process.once('disconnect', () => process.exit(0));
process.once('message', (message) => {
  if (!isLoadStart(message)) throw new TypeError('the first message must say what to load');
  const runtime = systemRuntime(silent);
  const routes = readRoutes();
  const load = new Load({
    client: createLoadClient(message.url, message.token),
    plan: new LoadPlan(routes, busiestAirports(readAirports(), routes), runtime.random),
    operationsPerSecond: message.operationsPerSecond,
    runtime,
  });
  load.start();
  process.once('message', () => {
    void load.stop().then(() => process.exit(0));
  });
});

function ignore(): void {}
