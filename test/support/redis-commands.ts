/** Which command on the wire is which: scripts go by the hash of their source. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ScriptName } from '../../src/storage/redis/redis-connection.js';
import type { Matcher } from './tcp-proxy.js';

/** @param key part of the first key's name, for one among many */
export function script(name: ScriptName, key = ''): Matcher {
  const source = readFileSync(`src/storage/redis/lua/${name}.lua`, 'utf8');
  const hash = createHash('sha1').update(source).digest('hex');
  return ([verb = '', id, , firstKey = '']) =>
    (id === hash || id === source) && /^eval(sha)?$/i.test(verb) && firstKey.includes(key);
}

export function command(name: string, key = ''): Matcher {
  return ([verb = '', firstKey = '']) => verb.toLowerCase() === name && firstKey.includes(key);
}
