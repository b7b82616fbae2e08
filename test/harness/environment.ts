import { TestEnvironment as NodeEnvironment } from 'jest-environment-node';

/**
 * Jest's Node environment, which also remembers whether something failed: the logs of the processes a spec started are
 * printed then, and only then (processes.ts).
 */
export default class Environment extends NodeEnvironment {
  handleTestEvent({ name }: { name: string }): void {
    if (name === 'test_fn_failure' || name === 'hook_failure') {
      Reflect.set(this.global, 'hasFailed', true);
    }
  }
}
