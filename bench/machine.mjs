// The machine: which core does what, how much processor time a process has used, and how it is described in a report.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, setPriority, totalmem } from 'node:os';

const CLOCK_TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux

const canPin =
  availableParallelism() >= 2 &&
  spawnSync('taskset', ['-c', '0,1', 'true'], { stdio: 'ignore' }).status === 0;

/** The server has a core of its own. Redis has one too where there are three; else it shares the generator's. */
export const CORES = canPin
  ? { server: '0', generator: '1', redis: availableParallelism() >= 3 ? '2' : '1' }
  : null;

/** @returns [program, arguments] that run `command` on that core, or as it is where cores cannot be pinned */
export function pinned(role, command, args) {
  return CORES ? ['taskset', ['-c', CORES[role], command, ...args]] : [command, args];
}

/** The generator spins at times. A Redis on its core must not wait for that: hence the lower priority. */
export function pinGenerator() {
  if (!CORES) return;
  if (CORES.redis === CORES.generator) setPriority(5);
  spawnSync('taskset', ['-a', '-cp', CORES.generator, String(process.pid)], { stdio: 'ignore' });
}

/** @returns seconds of processor time that the process (with its threads) has used, null where /proc is not there */
export function cpuSeconds(pid) {
  try {
    // The name of the program, in parentheses, may hold spaces; utime and stime are the 12th and 13th after it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  } catch {
    return null;
  }
}

/** @returns seconds of processor time that everything on this machine has used, null where /proc is not there */
export function machineSeconds() {
  try {
    // user, nice, system, idle, iowait, irq, softirq, steal
    const ticks = readFileSync('/proc/stat', 'latin1')
      .split('\n', 1)[0]
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return [0, 1, 2, 5, 6, 7].reduce((sum, at) => sum + ticks[at], 0) / CLOCK_TICKS_PER_SECOND;
  } catch {
    return null;
  }
}

export function ownSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** @returns bytes of memory that the process holds */
export function residentBytes(pid) {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kib) * 1024;
}

/** Node raises its soft limit to the hard one at start. */
export function openFilesLimit() {
  const path = '/proc/self/limits';
  const [, soft] = (existsSync(path) && /Max open files\s+(\d+)/.exec(readFileSync(path, 'latin1'))) || [];
  return soft === undefined ? Infinity : Number(soft);
}

/** Nothing here names the machine or its user. */
export function describeMachine() {
  const redis = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout ?? '';
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch}`,
    node: process.version,
    redis: /v=(\S+)/.exec(redis)?.[1] ?? null,
    pinned: CORES,
    loadBefore: Number(loadavg()[0].toFixed(2)),
  };
}
