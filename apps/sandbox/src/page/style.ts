/** Follows the reader's light or dark setting; no font, picture or colour from elsewhere. */
export const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #07a35a; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem 1.25rem 4rem; font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 0 0 .6rem; }
header p { margin: .3rem 0 1rem; }
section { border: 1px solid var(--line); border-radius: 10px; padding: 1rem; margin: 0 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; } td.empty { opacity: .7; }
code, pre, td.id { font-family: ui-monospace, monospace; font-size: 13px; } td.id { white-space: nowrap; }
input, select, button { font: inherit; padding: .25rem .5rem; border: 1px solid var(--line); border-radius: 6px; }
input, select { background: Field; color: FieldText; } input.short { width: 6rem; }
button { background: var(--soft); color: inherit; cursor: pointer; }
button:disabled { opacity: .4; cursor: not-allowed; } button:enabled:hover, button:focus-visible { border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.row, .actions { display: flex; flex-wrap: wrap; gap: .5rem .8rem; align-items: center; margin: 0 0 .7rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .6rem 1rem; margin: .8rem 0 0; }
.grid label { display: grid; gap: .15rem; } .grid button { align-self: end; }
td .row { flex-wrap: nowrap; margin: 0; }
summary { cursor: pointer; margin-top: .7rem; }
pre { background: var(--soft); border-radius: 8px; padding: .7rem; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
pre.bad, td.bad { color: #d33; } ul { margin: 0; padding-left: 1.2rem; }
`;
