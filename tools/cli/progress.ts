/** One line that is written over at a terminal; elsewhere, a line now and then. On standard error: it is no result. */
export class Progress {
  private lastAt = 0;
  private isShown = false;

  show(line: string): void {
    const now = performance.now();
    const isTerminal = process.stderr.isTTY;
    if (now - this.lastAt < (isTerminal ? 100 : 10_000)) return;
    this.lastAt = now;
    this.isShown = isTerminal;
    process.stderr.write(isTerminal ? `\r\u001b[2K${line}` : `${line}\n`);
  }

  end(): void {
    if (this.isShown) process.stderr.write('\r\u001b[2K');
    this.isShown = false;
  }
}
