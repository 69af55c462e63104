// Lets a case's server run, and no other, and gives it time to be itself again.
import { closedLoop } from '../load/closed-loop.mjs';

/**
 * It was stopped while others were measured: what it makes up for, and the memory that the system took from it meanwhile,
 * is no latency of any contender.
 */
export async function wakeUp(
  servers,
  { port, pid, traffic, warmUp },
  { connections, wakeUpSeconds: seconds },
) {
  await servers.letRun(pid);
  await closedLoop({ port, connections, traffic: warmUp ?? traffic, warmUpSeconds: 0, seconds });
}
