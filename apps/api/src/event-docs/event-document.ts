import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncApiDocument } from '#events';
import { root } from '#settings';

/** What the page reads of an AsyncAPI 3 document of ours. */
export interface EventDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly channels: Readonly<Record<string, Channel>>;
  readonly operations: Readonly<Record<string, { readonly action: 'send' | 'receive' }>>;
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>;
    readonly schemas: Readonly<Record<string, Schema>>;
  };
}

export interface Channel {
  readonly address: string;
  readonly description: string;
  readonly messages: Readonly<Record<string, object>>;
  readonly bindings: {
    readonly kafka: { readonly partitions: number; readonly topicConfiguration: { 'cleanup.policy': string[] } };
  };
}

export interface Message {
  readonly name: string;
  readonly summary?: string;
  readonly payload?: Schema;
  readonly headers?: Schema;
}

export interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

const packageFile = join(root, 'package.json');

/** With the topics as this installation names them. */
export function eventDocument(topicPrefix: string): EventDocument {
  const { version }: { version: string } = JSON.parse(readFileSync(packageFile, 'utf8'));
  return JSON.parse(JSON.stringify(asyncApiDocument({ version, topicPrefix })));
}
