/** How often a program started by an npm script looks whether npm still runs. */
const LOOK_EVERY_MS = 500;

/**
 * npm passes a signal on to the shell that it put between itself and us, and that shell may die of it without telling
 * us. So a program started by `npm run` takes the death of its parent for the SIGTERM it never got.
 */
export function stopWithNpm() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, LOOK_EVERY_MS);
  timer.unref();
}
