import { cpuUsage } from "node:process";

const RUNS = 3;

/**
 * How long something computes, in ms of CPU time, at its best: what else the machine does then, and
 * what has to be compiled at first, does not count.
 */
export function cpuMs(run: () => void): number {
  const times = Array.from({ length: RUNS }, () => {
    const before = cpuUsage();
    run();
    const { user, system } = cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...times);
}
