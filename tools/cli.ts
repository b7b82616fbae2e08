import { Refusal, runTool, say } from './machine.js';

/** `npm run cli -- <command> …`: each command is a file under tools/cli, loaded only when it is asked for. */

interface Command {
  readonly about: string;
  readonly load: () => Promise<{ readonly help: string; readonly run: (args: readonly string[]) => Promise<number> }>;
}

const commands: Readonly<Record<string, Command>> = {
  audit: {
    about: 'audit trail: verify that nothing was changed past the service',
    load: () => import('./cli/audit.js'),
  },
  secrets: { about: 'what is sealed with SECRETS_KEY: reseal', load: () => import('./cli/secrets.js') },
  events: { about: 'what was announced: tail, replay, snapshot', load: () => import('./cli/events.js') },
  doctor: {
    about: 'looks whether what must always hold does, and names what does not',
    load: () => import('./cli/doctor.js'),
  },
  import: {
    about: 'lists of identities and re-key tables, followers of a service account',
    load: () => import('./cli/import.js'),
  },
  registry: {
    about: 'entities, Open Platform accounts and apps: show, apply a document',
    load: () => import('./cli/registry.js'),
  },
  restored: {
    about: 'after a restore from a backup: consumers take what is told from now on for newer',
    load: () => import('./cli/restored.js'),
  },
  keys: { about: 'signing keys of sessions: list, rotate, withdraw', load: () => import('./cli/keys.js') },
};

async function main(): Promise<number> {
  const [name = '--help', ...args] = process.argv.slice(2);
  if (name === '--help' || name === '-h' || name === 'help') {
    say(overview());
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new Refusal(`no such command: ${name}\n\n${overview()}`);
  const { help, run } = await command.load();
  if (args.includes('--help') || args.includes('-h')) {
    say(help);
    return 0;
  }
  try {
    return await run(args);
  } catch (error) {
    const isMistyped = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    throw isMistyped ? new Refusal(`${error.message}\n\n${help}`) : error;
  }
}

function overview(): string {
  const lines = Object.entries(commands).map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`);
  return ['npm run cli -- <command> [--help]', '', ...lines].join('\n');
}

await runTool(main);
