import { describe, expect, test } from '@jest/globals';
import { parseStoreUrl } from '../../src/store-url.js';

const standalone = (host: string, port = 6379, database = 0) => ({
  mode: 'standalone',
  node: { host, port },
  database,
});

function refusal(text: string): string {
  try {
    parseStoreUrl(text);
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  throw new Error('the URL was accepted');
}

describe('a store URL', () => {
  test.each([
    ['sqlite::memory:', ':memory:'],
    ['sqlite:./data/sessions.db', './data/sessions.db'],
    ['sqlite:/var/lib/a b?c.db', '/var/lib/a b?c.db'],
  ])('%s names a SQLite file', (text, path) => {
    expect(parseStoreUrl(text)).toEqual({ kind: 'sqlite', path });
  });

  test.each([
    ['redis://cache', standalone('cache'), false],
    ['redis://cache/', standalone('cache'), false],
    ['redis://10.0.0.7:7000/3', standalone('10.0.0.7', 7000, 3), false],
    ['redis://[::1]:6380', standalone('::1', 6380), false],
    ['rediss://cache.example:6380', standalone('cache.example', 6380), true],
  ])('%s names one Redis', (text, topology, tls) => {
    expect(parseStoreUrl(text)).toEqual({ kind: 'redis', tls, topology });
  });

  test.each(['redis', 'rediss'])('%s+sentinel names the sentinels and the master', (scheme) => {
    expect(parseStoreUrl(`${scheme}+sentinel://s1,s2:26380,[fe80::1]/mymaster`)).toEqual({
      kind: 'redis',
      tls: scheme === 'rediss',
      topology: {
        mode: 'sentinel',
        sentinels: [
          { host: 's1', port: 26379 },
          { host: 's2', port: 26380 },
          { host: 'fe80::1', port: 26379 },
        ],
        masterName: 'mymaster',
      },
    });
  });

  test.each(['redis', 'rediss'])('%s+cluster names some of the nodes', (scheme) => {
    expect(parseStoreUrl(`${scheme}+cluster://n1:7001,n2`)).toEqual({
      kind: 'redis',
      tls: scheme === 'rediss',
      topology: {
        mode: 'cluster',
        nodes: [
          { host: 'n1', port: 7001 },
          { host: 'n2', port: 6379 },
        ],
      },
    });
  });

  test.each([
    ['redis://user:secret@h', { username: 'user', password: 'secret' }],
    ['redis://:secret@h', { password: 'secret' }],
    ['redis://user@h', { username: 'user' }],
    ['redis://us%40er:p%40s%2Fs%3A%25@h', { username: 'us@er', password: 'p@s/s:%' }],
    ['redis://user:a:b@h', { username: 'user', password: 'a:b' }],
  ])('%s carries credentials', (text, credentials) => {
    expect(parseStoreUrl(text)).toEqual({
      kind: 'redis',
      tls: false,
      topology: standalone('h'),
      ...credentials,
    });
  });

  test.each([
    '',
    'sqlite:',
    'postgres://hunter2',
    'REDIS://hunter2',
    'redis:hunter2',
    'redis://',
    'redis:///0',
    'redis://:hunter2@',
    'redis://u:hunter2@h@x',
    'redis://u:hunt/er2@h',
    'redis://hunter2:',
    'redis://hunter2:0',
    'redis://hunter2:65536',
    'redis://hunter2:port',
    'redis://[hunter2]',
    'redis://hunt er2',
    'redis://h/hunter2',
    'redis://h/12345',
    'redis://h/0/1',
    'redis://h?hunter2',
    'redis://h#hunter2',
    'redis://h,hunter2',
    'redis+cluster://h,',
    'redis+cluster://h/0',
    'redis+sentinel://h',
    'redis+sentinel://h/',
    'redis://u:%hunter2@h',
    'redis://h\nhunter2',
  ])('%j is refused with the rule and without the value', (text) => {
    const message = refusal(text);
    expect(message).toMatch(/^must /);
    expect(message).not.toContain('hunter2');
    expect(message).not.toContain('er2@');
  });
});
