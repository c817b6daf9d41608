// SPDX-License-Identifier: MIT
// The page that shows a trace in a browser, without its events.
#ifndef PROCPOOL_DETAIL_JOB_TRACE_PAGE_HPP
#define PROCPOOL_DETAIL_JOB_TRACE_PAGE_HPP

#include <string_view>

namespace procpool::inline v0_1::detail::job {

/// Behind it stand scripts that call T(), each with some events: so it is complete at any time. Texts of the
/// program's go into the page as text only.
inline constexpr std::string_view trace_page = R"page(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>procpool: what the workers did</title>
<style>
body { font: 14px system-ui, sans-serif; margin: 24px; color: #1c2530; background: #fff; }
h1 { font-size: 22px; margin: 0 0 4px; }
h2 { font-size: 16px; margin: 28px 0 6px; }
p { margin: 4px 0; color: #55606c; }
canvas { width: 100%; display: block; border: 1px solid #d5dbe1; cursor: grab; }
#under { min-height: 1.5em; font-family: ui-monospace, monospace; color: #1c2530; white-space: pre-wrap; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: 3px 14px 3px 0; border-bottom: 1px solid #e6eaee; vertical-align: top; }
th { color: #55606c; font-weight: 600; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.text { font-family: ui-monospace, monospace; overflow-wrap: anywhere; max-width: 60em; }
.failed { color: #c0281c; }
</style>
</head>
<body>
<h1>What the workers did</h1>
<p id="summary">This page needs JavaScript.</p>
<h2>Tracks</h2>
<p>A row for each worker. Wheel: zoom. Drag: move. Double click: all. Blue: elements, red: failed ones, grey: starts,
black lines: deaths.</p>
<canvas id="tracks"></canvas>
<div id="under"></div>
<h2>Calls</h2>
<table id="calls"></table>
<h2>Slowest elements</h2>
<table id="slowest"></table>
<h2>Failures</h2>
<table id="failures"></table>
<script>
'use strict';
const events = [];
function T(some) { for (const one of some) events.push(one); }
addEventListener('DOMContentLoaded', () => {
  const by = id => document.getElementById(id);
  const time = us => us >= 1e6 ? (us / 1e6).toFixed(3) + ' s' : us >= 1e3 ? (us / 1e3).toFixed(2) + ' ms'
    : us.toFixed(1) + ' us';
  const elements = events.filter(e => e.cat === 'element');
  const failed = e => e.args.outcome !== undefined;
  const failures = elements.filter(failed).concat(events.filter(e => e.cat === 'unrun'));
  const deaths = events.filter(e => e.cat === 'death');
  const tracks = new Map();
  for (const e of events)
    if (e.tid > 0) {
      const key = e.pid * 100000 + e.tid;
      if (!tracks.has(key)) tracks.set(key, {key, pid: e.pid, tid: e.tid, slices: [], busy: 0});
      const track = tracks.get(key);
      if (e.ph === 'X' || e.cat === 'death') track.slices.push(e);
      if (e.cat === 'element') track.busy += e.dur;
    }
  const rows = [...tracks.values()].sort((a, b) => a.key - b.key);
  const pools = new Set(rows.map(r => r.pid));
  const name = r => (pools.size > 1 ? 'pool ' + r.pid + ', ' : '') + 'worker ' + (r.tid - 1);
  let last = 1;
  for (const e of events) if (e.ts !== undefined) last = Math.max(last, e.ts + (e.dur || 0));

  by('summary').textContent = elements.length + ' elements, ' + failures.length + ' failed, ' + deaths.length +
    ' workers died, in ' + time(last) + (events.some(e => e.cat === 'full') ? '; the file was full before the end' : '');

  function fill(id, heads, lines, none) {
    const table = by(id);
    if (lines.length === 0) { table.textContent = none; return; }
    const row = (tag, cells) => {
      const tr = table.appendChild(document.createElement('tr'));
      for (const cell of cells) {
        const td = tr.appendChild(document.createElement(tag));
        const plain = typeof cell !== 'object';
        td.textContent = plain ? cell : cell.text;
        if (!plain) td.className = cell.kind;
      }
    };
    row('th', heads);
    for (const line of lines) row('td', line);
  }
  const number = text => ({text, kind: 'number'});
  const text = value => ({text: value === undefined ? '' : value, kind: 'text'});
  const bad = value => ({text: value === undefined ? '' : value, kind: 'failed'});

  const calls = new Map();
  for (const e of events)
    if (e.cat === 'call') {
      if (e.ph === 'b') calls.set(e.id, {begin: e});
      else if (calls.has(e.id)) calls.get(e.id).end = e;
    }
  fill('calls', ['call', 'name', 'elements', 'succeeded', 'failed', 'began', 'took'],
    [...calls.values()].slice(0, 200).map(c => [c.begin.id, c.begin.name, number(c.begin.args.elements ?? ''),
      number(c.end ? c.end.args.succeeded : ''), number(c.end ? c.end.args.failed : ''), number(time(c.begin.ts)),
      c.end ? number(time(c.end.ts - c.begin.ts)) : 'goes on']), 'None.');
  fill('slowest', ['took', 'element', 'of', 'worker', 'arguments', ''],
    [...elements].sort((a, b) => b.dur - a.dur).slice(0, 20).map(e => [number(time(e.dur)), number(e.args.index),
      e.name, number(e.tid - 1), text(e.args.arguments), bad(e.args.outcome)]), 'None.');
  fill('failures', ['what', 'element', 'of', 'worker', 'took', 'arguments'],
    failures.slice(0, 200).map(e => [bad(e.args.outcome), number(e.args.index), e.name,
      number(e.tid > 0 ? e.tid - 1 : ''), number(e.dur === undefined ? '' : time(e.dur)), text(e.args.arguments)])
      .concat(deaths.slice(0, 200).map(e => [bad(e.name), '', '', number(e.tid - 1), number('at ' + time(e.ts)), ''])),
    'None.');

  const canvas = by('tracks'), pen = canvas.getContext('2d');
  const left = 130, height = 26, axis = 24;
  let from = 0, to = last * 1.01;
  const x = us => left + (us - from) / (to - from) * (canvas.clientWidth - left);
  function draw() {
    const scale = devicePixelRatio || 1, width = canvas.clientWidth, full = axis + rows.length * height + 6;
    canvas.style.height = full + 'px';
    canvas.width = width * scale;
    canvas.height = full * scale;
    pen.scale(scale, scale);
    pen.font = '12px system-ui, sans-serif';
    pen.textBaseline = 'middle';
    let step = Math.pow(10, Math.floor(Math.log10((to - from) / 4)));
    while ((to - from) / step > 10) step *= 2;
    for (let at = Math.ceil(from / step) * step; at < to; at += step) {
      pen.fillStyle = '#e6eaee';
      pen.fillRect(x(at), axis - 6, 1, full);
      pen.fillStyle = '#55606c';
      pen.fillText(time(at), x(at) + 3, axis / 2);
    }
    rows.forEach((row, i) => {
      const y = axis + i * height;
      pen.fillStyle = '#1c2530';
      pen.fillText(name(row) + '  ' + Math.round(100 * row.busy / last) + ' %', 8, y + height / 2);
      let drawn = -1;
      for (const e of row.slices) {
        const a = Math.max(x(e.ts), left), b = Math.max(x(e.ts + (e.dur || 0)), a + 1);
        if (b < left || a > width) continue;
        const quick = b - a < 2;
        if (quick && Math.floor(a) === drawn && e.cat === 'element' && !failed(e)) continue;
        drawn = Math.floor(a);
        pen.fillStyle = e.cat === 'death' ? '#000' : e.cat !== 'element' ? '#b4bdc7' : failed(e) ? '#c0281c' : '#3f7fc4';
        pen.fillRect(a, y + (e.cat === 'death' ? 0 : 3), e.cat === 'death' ? 2 : quick ? b - a : b - a - 0.5,
          height - (e.cat === 'death' ? 0 : 6));
        if (b - a > 50 && e.cat === 'element') {
          pen.save();
          pen.beginPath();
          pen.rect(a, y, b - a - 4, height);
          pen.clip();
          pen.fillStyle = '#fff';
          pen.fillText(e.args.index + (e.args.arguments ? ': ' + e.args.arguments : ''), a + 4, y + height / 2);
          pen.restore();
        }
      }
    });
  }
  const at = event => from + (event.offsetX - left) / (canvas.clientWidth - left) * (to - from);
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    const middle = at(event), factor = event.deltaY > 0 ? 1.25 : 0.8;
    from = middle - (middle - from) * factor;
    to = middle + (to - middle) * factor;
    draw();
  });
  let held = null;
  canvas.addEventListener('mousedown', event => { held = at(event); });
  addEventListener('mouseup', () => { held = null; });
  canvas.addEventListener('dblclick', () => { from = 0; to = last * 1.01; draw(); });
  canvas.addEventListener('mousemove', event => {
    if (held !== null) {
      const moved = held - at(event);
      from += moved;
      to += moved;
      draw();
      return;
    }
    const row = rows[Math.floor((event.offsetY - axis) / height)], when = at(event);
    const near = (to - from) / canvas.clientWidth;
    const e = row && row.slices.find(s => when >= s.ts - near && when <= s.ts + (s.dur || 0) + near);
    by('under').textContent = !e ? '' : name(row) + ', ' + e.name + (e.cat !== 'element' ? ''
      : ', element ' + e.args.index + ', f(' + (e.args.arguments ?? '...') + ')' + (failed(e) ? ': ' + e.args.outcome : ''))
      + (e.dur === undefined ? '' : ', ' + time(e.dur)) + ' from ' + time(e.ts);
  });
  addEventListener('resize', draw);
  draw();
});
</script>
</body>
</html>
)page";

}  // namespace procpool::inline v0_1::detail::job

#endif
