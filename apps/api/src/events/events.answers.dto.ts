import { ApiProperty } from '@nestjs/swagger';

/** A CloudEvent in structured mode; `data` by `type`: /asyncapi.json. */
export class EventAnswer {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  time: string;
  subject?: string;
  partitionkey: string;
  /** The version, ten digits; absent on notices. */
  sequence?: string;
  /** The restore epoch. */
  epoch: string;
  entityid: string;
  dataschema: string;
  causationid?: string;
  traceparent?: string;
  datacontenttype: string;
  data: object;
}

export class EventPage {
  @ApiProperty({ type: [EventAnswer] })
  items: readonly EventAnswer[];
  /** Never null: where to go on, also at the end. */
  nextCursor: string;
}
