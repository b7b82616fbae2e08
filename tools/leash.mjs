import { createInterface } from 'node:readline';

/**
 * Holds the pids of processes whose starter may die without stopping them (see Leash in child.ts). Reads "+pid" and
 * "-pid" lines; when its input closes, the starter is gone: whatever is still held is asked to stop, then killed.
 */

const GRACE_MS = 10_000;
const held = new Set();

for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (line.startsWith('+')) held.add(pid);
  else held.delete(pid);
}

const send = (pid, signal) => {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    held.delete(pid);
    return false;
  }
};

for (const pid of held) send(pid, 'SIGTERM');
const deadline = Date.now() + GRACE_MS;
while (held.size > 0 && Date.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (const pid of held) send(pid, 0);
}
for (const pid of held) send(pid, 'SIGKILL');
