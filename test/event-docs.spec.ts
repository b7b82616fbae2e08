import { asyncApiDocument } from '../libs/events/src/index.js';
import { type Acme, startAcme } from './harness/acme.js';

describe('The event contract', () => {
  let acme: Acme;

  beforeAll(async () => {
    acme = await startAcme({ env: { KAFKA_TOPIC_PREFIX: 'ours.' } });
  });

  afterAll(() => acme.stop());

  it('is served as AsyncAPI with the topics of this installation, to anybody', async () => {
    const { status, body } = await acme.operator.as(undefined).get('/asyncapi.json');
    expect(status).toBe(200);
    const { version } = body.info;
    expect(body).toEqual(JSON.parse(JSON.stringify(asyncApiDocument({ version, topicPrefix: 'ours.' }))));
    expect(JSON.stringify(body)).toContain('ours.identity.user-events.v1');
  });

  it('is a page that needs nothing from elsewhere', async () => {
    const response = await fetch(`${acme.apis[0]?.url}/events-docs`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await response.text()).toContain('ours.identity.user-events.v1');
  });
});
