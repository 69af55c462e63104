/**
 * What is sent to Redis within one turn of the event loop leaves in one write: by itself each command costs this process
 * a system call, and wakes Redis. Nothing else changes: commands keep their order, their time and their own replies.
 */
import { Cluster, type Redis } from 'ioredis';
import { atEndOfTurn } from '../../turn-end.js';

export function writeTogether(client: Redis | Cluster): void {
  const prepare = (node: Redis): void => void node.on('connect', () => gatherWrites(node.stream));
  if (client instanceof Cluster) client.on('+node', prepare);
  else prepare(client);
}

function gatherWrites(stream: Redis['stream']): void {
  let isGathering = false;
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  stream.write = (...args: unknown[]): boolean => {
    if (!isGathering) {
      isGathering = true;
      stream.cork();
      atEndOfTurn(() => {
        isGathering = false;
        stream.uncork();
      });
    }
    return write(...args);
  };
}
