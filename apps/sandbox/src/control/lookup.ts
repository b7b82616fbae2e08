import { NotFoundException } from '@nestjs/common';
import type { App, World } from '../world/world.js';

export function appAt(world: World, appId: string): App {
  const app = world.apps.get(appId);
  if (app === undefined) throw new NotFoundException(`appId: no app ${appId} here; PUT /_control/apps/${appId} first`);
  return app;
}
