/**
 * What runs in the browser. Plain JavaScript in a text, because the compiler of this repository knows no browser; so it
 * stays small. Everything shown is set as text, never as markup: names of people come from whoever typed them.
 */
export const script = `
'use strict';
const at = (id) => document.getElementById(id);
const shownMax = 30;
const oauthKinds = ['service_account', 'website_app', 'mobile_app'];
let shown = '';
let apps = [];

async function ask(method, path, body) {
  const response = await fetch(path, { method, ...(body && { body: JSON.stringify(body) }) });
  const text = await response.text();
  return { ok: response.ok, body: text === '' ? null : JSON.parse(text) };
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function cell(value, className) {
  return element('td', { className: className || '' }, value === null || value === undefined ? '–' : value instanceof Node ? value : String(value));
}

function fill(id, columns, rows, none) {
  const made = rows.map((cells) => element('tr', {}, ...cells));
  const empty = element('tr', {}, element('td', { colSpan: columns, className: 'empty' }, none));
  at(id).replaceChildren(...(made.length ? made : [empty]));
}

function bindCell(app) {
  const input = element('input', { value: app.openPlatform || '', placeholder: 'not bound', maxLength: 64 });
  input.setAttribute('aria-label', 'Open Platform account of ' + app.appId);
  const form = element('form', { className: 'row' }, input, element('button', {}, 'Bind'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    input.blur();
    act('POST', '/_control/bind', { appId: app.appId, openPlatform: input.value.trim() || null });
  });
  return cell(form);
}

function showApps() {
  // Not under the hands of somebody who is typing there.
  if (at('apps').contains(document.activeElement)) return;
  fill('apps', 6, apps.map((app) => [
    cell(element('span', {}, app.name === app.appId ? '' : app.name + ' ', element('code', {}, app.appId))),
    cell(app.kind), bindCell(app), cell(app.push && app.push.mode + ', ' + app.push.format), cell(app.people), cell(app.followers),
  ]), 'No app yet. Add one below, or with PUT /_control/apps/{appId}.');
}

/** Only what makes sense in the chosen app can be clicked. */
function showActions() {
  const app = apps.find(({ appId }) => appId === at('person-form').elements.appId.value);
  for (const button of document.querySelectorAll('[data-action]')) {
    button.disabled = !app || !button.dataset.kinds.split(' ').includes(app.kind);
  }
}

function showChoices(people) {
  const select = at('person-form').elements.appId;
  const chosen = select.value;
  select.replaceChildren(...apps.map((app) => element('option', { value: app.appId }, app.name + ' (' + app.kind + ')')));
  if (apps.some((app) => app.appId === chosen)) select.value = chosen;
  showActions();
  at('people-names').replaceChildren(...people.map(({ name }) => element('option', { value: name })));
}

function show(state) {
  apps = state.apps;
  at('now').textContent = state.now;
  showApps();
  showChoices(state.people);
  fill('people', 5, state.people.flatMap(({ name, apps: met }) => met.map((one) =>
    [cell(name), cell(one.appId), cell(one.openId, 'id'), cell(one.unionId, 'id'), cell(one.follows ? 'yes' : 'no')])), 'Nobody yet.');
  fill('pushes', 7, state.pushes.slice(0, shownMax).map((push) => [cell(push.at), cell(push.appId), cell(push.event), cell(push.person),
    cell(push.status, push.status === 'failed' ? 'bad' : ''), cell(push.attempts), cell(push.lastAnswer)]), 'None yet.');
  fill('calls', 5, state.calls.slice(0, shownMax).map((call) => [cell(call.at), cell(call.endpoint), cell(call.appId),
    cell(call.errcode, call.errcode === 0 ? '' : 'bad'), cell(call.fault)]), 'None yet.');
}

function showFaults(faults) {
  at('faults').replaceChildren(...faults.map((fault) => element('li', {}, 'the next ' + fault.times + ' of ' + fault.endpoint +
    (fault.appId ? ' of ' + fault.appId : '') + ': ' + fault.kind + (fault.kind === 'errcode' ? ' ' + fault.errcode : ''))));
}

async function refresh() {
  try {
    const [state, faults] = await Promise.all([ask('GET', '/_control/state'), ask('GET', '/_faults')]);
    // Time passes without anything to redraw.
    const { now, ...rest } = state.body;
    const next = JSON.stringify([rest, faults.body]);
    at('now').textContent = now;
    if (next === shown) return;
    shown = next;
    show(state.body);
    showFaults(faults.body.faults);
  } catch {
    at('now').textContent = '(the sandbox does not answer)';
    shown = '';
  }
}

function tell(text, isBad) {
  at('answer').className = isBad ? 'bad' : '';
  at('answer').textContent = text;
}

async function act(method, path, body, explain) {
  try {
    const answer = await ask(method, path, body);
    const text = answer.body === null ? 'Done.' : JSON.stringify(answer.body, null, 2);
    tell(answer.ok && explain ? explain(answer.body) + '\\n\\n' + text : text, !answer.ok);
    return answer.ok;
  } catch {
    tell('The sandbox does not answer.', true);
    return false;
  } finally {
    await refresh();
  }
}

/** The call the app's back end makes next. */
function nextCall(appId, login) {
  const kind = (apps.find((app) => app.appId === appId) || {}).kind;
  const route = oauthKinds.includes(kind) ? 'oauth' : 'mini-program';
  const body = JSON.stringify({ appId, code: login.code });
  return 'curl http://localhost:3000/v1/logins/' + route + ' -H "Authorization: Bearer $API_KEY" -H "Content-Type: application/json" -d \\'' + body + '\\'';
}

function given(form) {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value !== ''));
}

document.addEventListener('click', ({ target }) => {
  const { action, advance } = target.dataset || {};
  if (advance) act('POST', '/_control/clock', { advanceSeconds: Number(advance) });
  if (!action || !at('person-form').reportValidity()) return;
  const [route, variant] = action.split(' ');
  const body = { ...given(at('person-form')), ...(variant === 'snapshot' && { snapshot: true }) };
  act('POST', '/_control/' + route, body, route === 'login' ? (login) => nextCall(body.appId, login) : undefined);
});

at('person-form').elements.appId.addEventListener('change', showActions);
at('person-form').addEventListener('submit', (event) => event.preventDefault());
at('clear-faults').addEventListener('click', () => act('DELETE', '/_faults'));

at('fault-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const { errcode, times, ...fault } = given(event.target);
  act('POST', '/_faults', { ...fault, errcode: Number(errcode || -1), times: Number(times || 1) });
});

at('app-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const { appId, url, token, mode, encodingAesKey, format, ...app } = given(event.target);
  const push = url ? { url, token, mode, encodingAesKey, format } : null;
  if (await act('PUT', '/_control/apps/' + encodeURIComponent(appId), { ...app, push })) at('app-details').open = false;
});

refresh();
setInterval(() => { if (!document.hidden) refresh(); }, 2000);
`;
