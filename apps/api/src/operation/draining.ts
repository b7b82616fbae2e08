import { Injectable } from '@nestjs/common';

/** Between SIGTERM and the end: what is still asked is answered, with `Connection: close`, and readiness says no. */
@Injectable()
export class Draining {
  isStopping = false;
}
