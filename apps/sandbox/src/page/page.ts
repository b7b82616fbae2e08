import { appKinds, pushFormats, pushModes } from '../world/world.js';
import { faultKinds } from '../control/faults.js';
import { script } from './script.js';
import { style } from './style.js';

const official = 'service_account subscription_account';
const programs = 'mini_program mini_game';
const oauth = 'service_account mobile_app website_app';
const all = appKinds.join(' ');

interface Action {
  /** The control route; `login snapshot` is a login with a flag. */
  readonly action: string;
  readonly label: string;
  readonly title: string;
  /** The kinds of app it makes sense in. */
  readonly kinds: string;
}

const actions: readonly Action[] = [
  { action: 'login', label: 'Log in', title: 'Opens the app and gets a code', kinds: `${programs} ${oauth}` },
  {
    action: 'login snapshot',
    label: 'Log in, snapshot page',
    title: 'Web login without a tap: openId and unionId are made up',
    kinds: 'service_account',
  },
  { action: 'follow', label: 'Follow', title: 'Follows the official account', kinds: official },
  { action: 'unfollow', label: 'Unfollow', title: 'Stops following', kinds: official },
  { action: 'scan', label: 'Scan a code', title: 'Scans a parametric code of the account', kinds: official },
  { action: 'pay', label: 'Pay', title: 'For five minutes the unionId can be asked for', kinds: 'mini_program' },
  { action: 'modify-profile', label: 'Profile is cleared', title: 'WeChat clears a risky profile', kinds: all },
  { action: 'revoke', label: 'Withdraw consent', title: 'Withdraws nickname and avatar', kinds: all },
  { action: 'cancel', label: 'Close the account', title: 'Closes WeChat; only this app hears of it', kinds: all },
];

const endpoints = [
  'jscode2session',
  'oauth2/access_token',
  'sns/userinfo',
  'stable_token',
  'user/info',
  'user/info/batchget',
  'user/get',
  'changeopenid',
  'getpaidunionid',
  '*',
];

function options(values: readonly string[]): string {
  return values.map((value) => `<option>${value}</option>`).join('');
}

function actionButtons(): string {
  return actions
    .map(
      ({ action, label, title, kinds }) =>
        `<button type="button" data-action="${action}" data-kinds="${kinds}" title="${title}">${label}</button>`,
    )
    .join('\n');
}

const appForm = `
<details id="app-details"><summary>Add an app, or change one (what stays empty is unset)</summary>
<form id="app-form" class="grid">
  <label>App id <input name="appId" required pattern="[A-Za-z0-9_\\-]{1,64}" placeholder="wx1234567890abcdef"></label>
  <label>Kind <select name="kind">${options(appKinds)}</select></label>
  <label>Name <input name="name" maxlength="100"></label>
  <label>Open Platform account <input name="openPlatform" maxlength="64" placeholder="empty: not bound"></label>
  <label>Secret <input name="secret" maxlength="128" placeholder="empty: any will do"></label>
  <label>Push URL <input name="url" type="url" placeholder="http://localhost:3000/v1/wechat/push/wx…"></label>
  <label>Push token <input name="token" maxlength="64"></label>
  <label>Push mode <select name="mode">${options(pushModes)}</select></label>
  <label>EncodingAESKey <input name="encodingAesKey" pattern="[A-Za-z0-9]{43}" placeholder="43 letters and digits"></label>
  <label>Push format <select name="format">${options(pushFormats)}</select></label>
  <button>Save the app</button>
</form></details>`;

const faultForm = `
<form id="fault-form" class="row">
  <label>The next calls of <select name="endpoint">${options(endpoints)}</select></label>
  <label>end with <select name="kind">${options(faultKinds)}</select></label>
  <label>errcode <input name="errcode" type="number" value="-1" class="short"></label>
  <label>times <input name="times" type="number" min="1" value="1" class="short"></label>
  <button>Order</button> <button type="button" id="clear-faults">Clear all</button>
</form>
<ul id="faults"></ul>`;

function table(id: string, ...columns: readonly string[]): string {
  const head = columns.map((column) => `<th scope="col">${column}</th>`).join('');
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody id="${id}"></tbody></table></div>`;
}

/** The page at `/`: one document, nothing to load. Everything it does is a call of the control API. */
export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>WeChat sandbox</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<header><h1>WeChat sandbox</h1><p>A WeChat for people without one. It is <time id="now">…</time> here.
<button type="button" data-advance="60">+ 1 min</button> <button type="button" data-advance="3600">+ 1 h</button>
<button type="button" data-advance="86400">+ 1 day</button></p></header>
<main>
<section><h2>Apps</h2>
${table('apps', 'App', 'Kind', 'Open Platform account', 'Push', 'People', 'Followers')}
${appForm}</section>
<section><h2>A person does something</h2>
<form id="person-form" class="row">
  <label>Person <input name="person" list="people-names" required maxlength="64" value="mei" autocomplete="off"></label>
  <datalist id="people-names"></datalist>
  <label>App <select name="appId" required></select></label>
</form>
<p class="actions">${actionButtons()}</p>
<pre id="answer" aria-live="polite">What came of it is shown here.</pre></section>
<section><h2>People</h2>${table('people', 'Person', 'App', 'openId', 'unionId', 'Follows')}</section>
<section><h2>Something goes wrong</h2>${faultForm}</section>
<section><h2>Pushes sent</h2>${table('pushes', 'At', 'App', 'Event', 'Person', 'Status', 'Tries', 'Answer')}</section>
<section><h2>Calls received</h2>${table('calls', 'At', 'Endpoint', 'App', 'errcode', 'Fault')}</section>
</main>
<script>${script}</script>
</body>
</html>
`;
