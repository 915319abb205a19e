import { startRedis } from './redis.ts';

// Owns a Redis until it is killed: shows that the watchdog cleans up after an owner that could not.
const redis = await startRedis();
process.stdout.write(`${redis.pid}\n`);
setInterval(() => undefined, 60_000);
