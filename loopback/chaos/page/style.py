"""How the page looks, by day and by night, on a desk and on a phone."""

from __future__ import annotations

from typing import Final

from loopback.chaos.page.markup import Markup

GROUPS: Final = {
    "actors": "Actors",
    "voice": "Voice link",
    "gateway": "Main gateway",
    "rest": "REST",
    "media": "Media",
    "process": "Processes",
    "machine": "Machine",
    "place": "Channel",
    "command": "People's commands",
}
"""What is disturbed, in words; each has a colour and a mark of its own."""

COMMAND: Final = "command"
"""Not a fault: what people asked for, of which a silence may come too."""

STYLE: Final = Markup("""
:root {
  --paper: #fbfaf7; --card: #ffffff; --ink: #1d2127; --soft: #5d6570; --line: #e3e0d8; --faint: #f1efe9;
  --good: #1f7a4d; --good-soft: #e2f2e9; --bad: #b3261e; --bad-soft: #fbe5e3; --hole: #d9d4c7; --bar: #39424e;
  --actors: #6a4fb3; --voice: #c8501e; --gateway: #1f6fb5; --rest: #0f8a7a; --media: #a87900;
  --process: #b02a6b; --machine: #6b6f76; --place: #4f7a1d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1b1f25; --ink: #e8e6e1; --soft: #9aa3ae; --line: #2d333b; --faint: #22272e;
    --good: #63c795; --good-soft: #17342a; --bad: #ff8a80; --bad-soft: #42211f; --hole: #4a5059;
    --bar: #c3cad3; --actors: #ab97ea; --voice: #f0895a; --gateway: #6fb1ee; --rest: #4fc9b6;
    --media: #dfb443; --process: #ec7cb0; --machine: #a9aeb6; --place: #9bc963;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: clamp(28px, 4.6vw, 46px); line-height: 1.1; letter-spacing: -0.02em; margin: 8px 0 12px; }
h2 { font-size: 21px; letter-spacing: -0.01em; margin: 0 0 4px; }
p { margin: 0 0 12px; max-width: 74ch; }
.soft { color: var(--soft); }
.small { font-size: 13px; }
.words { min-width: 220px; } .name { white-space: nowrap; }
section { margin-top: 44px; }
.eyebrow { font-size: 13px; letter-spacing: 0.08em; text-transform: uppercase; margin: 0;
  color: var(--soft); }
.verdict { border-left: 6px solid var(--good); padding-left: 20px; }
.verdict.broken { border-color: var(--bad); }
.verdict.broken h1 em { color: var(--bad); }
h1 em { font-style: normal; color: var(--good); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, 1fr)); gap: 12px;
  margin: 24px 0 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.tile dt { color: var(--soft); font-size: 13px; }
.tile dd { margin: 2px 0 0; font-size: 25px; font-weight: 600; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.tile dd small { display: block; font-size: 13px; font-weight: 400; letter-spacing: 0; color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px;
  margin-top: 14px; }
.scroll { overflow-x: auto; -webkit-overflow-scrolling: touch; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--line); vertical-align: middle; }
th { font-weight: 500; color: var(--soft); font-size: 13px; vertical-align: bottom; line-height: 1.25; }
td[data-name] { white-space: nowrap; }
th:first-child, td:first-child, .left { text-align: left; }
tr:last-child td { border-bottom: 0; }
td.wide { padding-top: 2px; padding-bottom: 2px; width: 34%; }
.costs td:first-child { min-width: 196px; }
code, pre { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
table + p, .scroll + p { margin-top: 16px; }
pre { background: var(--faint); border-radius: 8px; padding: 12px 14px; margin: 12px 0 0; overflow-x: auto; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.pill { display: inline-block; border-radius: 999px; padding: 1px 9px; font-size: 13px; white-space: nowrap;
  background: var(--good-soft); color: var(--good); }
.pill.bad { background: var(--bad-soft); color: var(--bad); }
.pill.late { background: var(--faint); color: var(--soft); }
ul.kept { list-style: none; padding: 0; margin: 14px 0 0; display: grid; gap: 4px 28px;
  grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); }
ul.kept li { padding-left: 24px; text-indent: -24px; }
ul.kept b { display: inline-block; width: 24px; text-indent: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; margin: 10px 0 0; list-style: none;
  font-size: 13px; color: var(--soft); }
.legend svg { vertical-align: -3px; margin-right: 6px; }
svg { display: block; }
.legend svg, .inline { display: inline-block; }
svg text { font-size: 12px; fill: var(--soft); }
.lanes { display: flex; width: max-content; min-width: 100%; }
.lanes ol { position: sticky; left: 0; z-index: 1; flex: none; list-style: none; margin: 0;
  padding: 24px 12px 0 0; background: var(--card); max-width: 148px; font-size: 13px;
  border-right: 1px solid var(--line); }
.lanes li { height: 34px; line-height: 34px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.grid { stroke: var(--line); stroke-width: 1; }
.base { stroke: var(--line); }
.hole { fill: var(--hole); }
.gap { fill: var(--bar); } .gap.over { fill: var(--bad); }
.crowd { fill: var(--actors); }
.broken { stroke: var(--bad); stroke-width: 2; }
.bound { stroke: var(--ink); stroke-width: 1.5; }
.dot { fill: var(--bar); fill-opacity: 0.6; } .dot.over { fill: var(--bad); fill-opacity: 1; }
.rival { fill: var(--soft); } .ours { fill: var(--good); } .span { stroke: var(--line); stroke-width: 2; }
.line { fill: none; stroke-width: 1.6; stroke: var(--gateway); } .line.second { stroke: var(--media); }
.life { stroke: var(--process); stroke-dasharray: 2 3; }
.g-actors { fill: var(--actors); } .g-voice { fill: var(--voice); } .g-gateway { fill: var(--gateway); }
.g-rest { fill: var(--rest); } .g-media { fill: var(--media); } .g-process { fill: var(--process); }
.g-machine { fill: var(--machine); } .g-place { fill: var(--place); } .g-command { fill: var(--soft); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 14px; }
.pair .card { min-width: 0; }
.fit { width: 100%; height: auto; }
.bar { width: 100%; min-width: 60px; height: 10px; }
h3 { font-size: 15px; margin: 0 0 6px; font-weight: 600; }
tr.group td { color: var(--soft); font-size: 13px; padding-top: 16px; }
@media (max-width: 720px) {
  main { padding: 24px 14px 48px; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .tile dd { font-size: 21px; }
  .card { padding: 12px; }
  .lanes ol { max-width: 84px; }
  .costs thead { display: none; }
  .costs, .costs tbody { display: block; }
  .costs tr { display: grid; grid-template-columns: 1fr 1fr; border-bottom: 1px solid var(--line);
    padding: 8px 0; }
  .costs td { border: 0; padding: 1px 0; text-align: left; font-size: 14px; order: 3; }
  .costs td[data-name]::before { content: attr(data-name) " "; color: var(--soft); font-size: 13px; }
  .costs td:first-child { font-weight: 600; order: 1; min-width: 0; }
  .costs td.verdict-cell { text-align: right; order: 1; }
  .costs td.wide { grid-column: 1 / -1; order: 2; width: auto; }
  .costs tr.axis td.wide { display: block; }
  .costs tr.axis { display: block; border: 0; padding: 0; } .costs tr.axis td:empty { display: none; }
  .costs tr.unheard td.wide, .costs tr.unheard td.nothing { display: none; }
  ul.kept { grid-template-columns: 1fr; }
  .broken-list thead { display: none; } .broken-list, .broken-list tbody { display: block; }
  .broken-list tr { display: flex; flex-wrap: wrap; gap: 2px 12px; padding: 10px 0;
    border-bottom: 1px solid var(--line); }
  .broken-list tr:last-child { border-bottom: 0; }
  .broken-list td { border: 0; padding: 0; }
  .broken-list .words { order: 5; flex-basis: 100%; min-width: 0; }
  .broken-list td[data-name]::before { content: attr(data-name) " "; color: var(--soft); }
  .restarts th:nth-child(2), .restarts td:nth-child(2) { display: none; }
  .restarts th, .restarts td { padding: 6px 5px; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
}
@media print { body { background: #fff; } .scroll { overflow: visible; } }
""")
