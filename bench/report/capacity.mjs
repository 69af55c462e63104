// What a large installation needs, calculated from what was measured. The formula stands in the text that it makes.
import { millis, whole } from './table.mjs';

/** Assumptions, each of which the reader may replace. */
const USERS = 100_000_000;
const LIVE_SESSIONS_PER_USER = 1;
const VALIDATIONS_PER_USER_A_DAY = 50;
const REFRESHES_PER_USER_A_DAY = 5;
const REVOCATIONS_PER_USER_A_DAY = 0.1;
/** The busiest second against the mean of the day. */
const PEAK = 4;
/** How long a revocation is remembered: the life of an access token and the margin of the clocks. */
const REVOCATION_LIFE_SECONDS = 960;
/** A core is planned for half of what it can do, a Redis for half of its memory. */
const PLANNED_SHARE = 0.5;
const REDIS_GIB = 32;
const DAY_SECONDS = 86_400;
/** The worst case: no instance has seen the token before. */
const VALIDATE = 'service-redis/validate/replica, cold';

export function capacityText({ throughput }, { stores, revocations }) {
  const most = (id) => throughput.find((result) => result.id === id).perSecond;
  const stored = stores.findLast((row) => row.store === 'Redis');
  const sessions = USERS * LIVE_SESSIONS_PER_USER;
  const perSecond = (aDay) => (USERS * aDay * PEAK) / DAY_SECONDS;
  const live = perSecond(REVOCATIONS_PER_USER_A_DAY) * REVOCATION_LIFE_SECONDS;
  const gib = (sessions * stored.sessionBytes + live * stored.revocationBytes) / 2 ** 30;
  const [none, known] = [revocations[0], revocations.at(-1)];
  const bytesKnown = known.tableBytes / known.revocations;
  const validations = perSecond(VALIDATIONS_PER_USER_A_DAY);
  const refreshes = perSecond(REFRESHES_PER_USER_A_DAY);
  const cores = (validations / most(VALIDATE) + refreshes / most('service-redis/refresh')) / PLANNED_SHARE;
  const shards = Math.ceil(gib / (REDIS_GIB * PLANNED_SHARE));
  return [
    `For ${whole(USERS)} users, each with ${LIVE_SESSIONS_PER_USER} live session, ${VALIDATIONS_PER_USER_A_DAY} validations, ` +
      `${REFRESHES_PER_USER_A_DAY} refreshes and ${REVOCATIONS_PER_USER_A_DAY} revocations a day, with a peak of ${PEAK} times the mean:`,
    '',
    `- Redis: sessions × bytes a session + live revocations × bytes a revocation = ${whole(sessions)} × ${whole(stored.sessionBytes)} + ` +
      `${whole(live)} × ${whole(stored.revocationBytes)} = **${whole(gib)} GiB**, so ${shards} masters of ${REDIS_GIB} GiB, half full, and as many replicas. ` +
      'Live revocations = revocations a second at the peak × 960 s.',
    `- Instances: (validations ÷ what a core does + refreshes ÷ what a core does) ÷ ${PLANNED_SHARE} = ` +
      `(${whole(validations)} ÷ ${whole(most(VALIDATE))} + ${whole(refreshes)} ÷ ${whole(most('service-redis/refresh'))}) ÷ ${PLANNED_SHARE} = ` +
      `**${Math.ceil(cores)} cores**, one instance each. No token is taken to be known to its instance already.`,
    `- Memory of an instance for the revocations: ${whole(live)} × ${whole(bytesKnown)} bytes = **${millis((live * bytesKnown) / 2 ** 20)} MiB** in its table. ` +
      `Reading ${whole(known.revocations)} of them at the start left the process ${whole((known.rssBytes - none.rssBytes) / 2 ** 20)} MiB larger than reading none.`,
    '',
  ].join('\n');
}
