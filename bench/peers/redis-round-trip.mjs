// What one round trip to Redis takes from the server's core, one after the other, through the client that the service
// uses. Prints { p50Ms } and ends.
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL);
const times = [];
const endsAt = performance.now() + Number(process.argv[2] ?? 0.5) * 1000;
while (performance.now() < endsAt) {
  const startedAt = performance.now();
  await redis.exists('nothing');
  times.push(performance.now() - startedAt);
}
times.sort((a, b) => a - b);
process.stdout.write(`${JSON.stringify({ p50Ms: times[times.length >> 1] })}\n`);
await redis.quit();
