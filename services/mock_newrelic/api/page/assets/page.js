(function () {
  "use strict";
  let state = JSON.parse(document.getElementById("state").textContent);
  const byId = (id) => document.getElementById(id);
  const tones = { canary: "canary", stable: "stable", 0: "plain", 1: "unknown", 2: "good", 3: "warn" };
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);
  const font = "12px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, 'DejaVu Sans', sans-serif";

  // Text goes in as text nodes only: names come from whoever sends telemetry.
  function fill(table, rows, cells, empty) {
    const body = table.tBodies[0];
    const focused = document.activeElement && body.contains(document.activeElement) ? document.activeElement.value : null;
    body.replaceChildren(...rows.map((row) => {
      const line = document.createElement("tr");
      cells(row).forEach(([kind, content]) => {
        const cell = line.insertCell();
        if (kind) cell.className = kind;
        cell.append(...[].concat(content));
      });
      if (row.active) line.className = "bad";
      return line;
    }));
    if (!rows.length && empty) {
      const cell = body.insertRow().insertCell();
      cell.colSpan = table.tHead.rows[0].cells.length;
      cell.className = "muted";
      cell.textContent = empty;
    }
    if (focused) for (const button of body.querySelectorAll("button")) if (button.value === focused) button.focus();
  }
  function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  // Charts.
  const charts = {};
  const axis = (values, extra) => Object.assign({
    stroke: () => color("muted"), grid: { stroke: () => color("line"), width: 1 },
    ticks: { stroke: () => color("line"), width: 1, size: 4 }, font, values,
  }, extra);
  function markers(u) {
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    ctx.save();
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.lineWidth = 1.5 * ratio;
    ctx.strokeStyle = color("muted");
    for (const one of state.deployments) {
      if (one.x < state.x[0] || one.x > state.x[state.x.length - 1]) continue;
      const x = u.valToPos(one.x, "x", true);
      ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
    }
    ctx.setLineDash([]);
    ctx.fillStyle = color("bad-soft");
    ctx.globalCompositeOperation = "destination-over";
    for (const one of state.injections) {
      const left = Math.max(u.valToPos(one.from, "x", true), bbox.left);
      const right = Math.min(u.valToPos(one.to, "x", true), bbox.left + bbox.width);
      if (one.here && right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
    ctx.restore();
  }
  function tip(names, unit) {
    let box;
    return { hooks: {
      init: (u) => { box = element("div", { className: "tip" }); u.over.appendChild(box); },
      setCursor: (u) => {
        const { idx, left, top } = u.cursor;
        if (idx === null || idx === undefined || left < 0) { box.style.display = "none"; return; }
        box.textContent = [clock(u.data[0][idx]) + " UTC", ...names().map((name, i) => {
          const value = u.data[i + 1][idx];
          return name + ": " + (value === null || value === undefined ? "no data" : value + " " + unit);
        })].join("\n");
        box.style.display = "block";
        box.style.left = (left + 16 + box.offsetWidth > u.over.clientWidth ? left - box.offsetWidth - 12 : left + 12) + "px";
        box.style.top = Math.max(0, Math.min(top + 12, u.over.clientHeight - box.offsetHeight)) + "px";
      },
    } };
  }
  const drawn = [
    ["errorRate", "%", [["errorRate", []]]],
    ["throughput", "/min", [["throughput", []]]],
    ["latency", "ms", [["p95", []], ["p50", [5, 4]]]],
    ["p99", "ms", [["p99", []]]],
  ];
  const lines = (parts) => state.arms.flatMap((arm) => parts.map(([name, dash]) => ({ arm, name, dash })));
  let shape = "";
  function draw() {
    if (!state.selected) return;
    const wanted = state.selected + "|" + state.arms.map((arm) => arm.label).join("|");
    for (const [id, unit, parts] of drawn) {
      const target = byId("chart-" + id);
      const data = [state.x, ...lines(parts).map(({ arm, name }) => arm.series[name])];
      if (charts[id] && shape === wanted) { charts[id].setData(data); continue; }
      if (charts[id]) charts[id].destroy();
      charts[id] = new uPlot({
        width: target.clientWidth, height: 190, legend: { show: false }, padding: [10, 12, 0, 0],
        cursor: { sync: { key: "apm" }, drag: { x: false, y: false }, points: { size: 5 } },
        scales: { x: { time: false }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
        axes: [axis((u, splits) => splits.map(clock), { space: 80, size: 32 }), axis(undefined, { size: 58 })],
        series: [{}, ...lines(parts).map(({ arm, dash }) => ({
          stroke: () => color(tones[arm.tone]), width: 2, dash, spanGaps: false, points: { show: true, size: 3 },
        }))],
        hooks: { draw: [markers] },
        plugins: [tip(() => lines(parts).map(({ arm, name }) => arm.label + (parts.length > 1 ? " " + name : "")), unit)],
      }, data, target);
    }
    shape = wanted;
    byId("legend").replaceChildren(...state.arms.map((arm) => element("span", {},
      element("i", { className: "block swatch tone-" + arm.tone }), arm.label)));
  }

  // What the server rendered once is written again from every new state.
  function show() {
    byId("now").textContent = state.now;
    byId("lying").textContent = state.lying;
    byId("lying").hidden = !state.lying;
    byId("apps").replaceChildren(...state.apps.map((app) => {
      const address = new URL(location);
      address.searchParams.set("app", app.name);
      const link = element("a", { href: address.search },
        element("span", { textContent: app.name }),
        element("span", { className: "num", textContent: app.errorRate }),
        element("span", { className: "num muted", textContent: app.throughput }));
      if (app.name === state.selected) link.setAttribute("aria-current", "page");
      return element("li", {}, link);
    }));
    if (byId("arms")) fill(byId("arms"), state.arms, (arm) => [
      ["", [element("i", { className: "swatch tone-" + arm.tone }), arm.label]],
      ["num", arm.requests], ["num", arm.throughput], ["num", arm.errorRate], ["num", arm.httpErrorRate],
      ["num", arm.p50], ["num", arm.p95], ["num", arm.p99], ["time", arm.last],
    ]);
    if (byId("source")) byId("source").textContent = state.source ? "source: " + state.source : "";
    fill(byId("injections"), state.injections, (one) => [
      ["", element("code", { textContent: one.id })], ["", one.app], ["text", one.scope],
      ["text", element("code", { textContent: one.effect })], ["time", one.left], ["num", String(one.hits)],
      ["", clearButton(one.id)],
    ], "None: every answer is what was measured.");
    fill(byId("deployments"), state.deployments, (one) => [
      ["time", one.at], ["", element("code", { textContent: one.revision })], ["", one.user], ["text", one.description],
    ], "No marker for this application.");
    draw();
  }
  function clearButton(id) {
    const button = element("button", { type: "submit", name: "identity", value: id, textContent: "Clear" });
    button.setAttribute("form", "clear");
    button.setAttribute("aria-label", "Clear " + id);
    return button;
  }

  // Live values.
  function live(text, tone) {
    byId("live").textContent = text;
    byId("live").className = "pill " + tone;
  }
  const query = new URLSearchParams(location.search);
  if (state.selected) query.set("app", state.selected);
  const stream = new EventSource("ui/stream?" + query);
  stream.addEventListener("state", (event) => {
    const reload = !state.selected;
    state = JSON.parse(event.data);
    clearTimeout(silent);
    live("live", "good");
    if (reload && state.selected) location.reload(); else show();
  });
  // A stream ends every few seconds and is opened again: only a longer silence is worth a word.
  let silent;
  stream.onerror = () => { clearTimeout(silent); silent = setTimeout(() => live("not connected", "warn"), 3000); };

  // Forms: sent in place, so that a chart is not lost over a typo.
  const fields = [...document.querySelectorAll("[data-key]")];
  const known = sessionStorage.getItem("admin-key") || "";
  fields.forEach((field) => {
    field.value = known;
    field.addEventListener("input", () => {
      fields.forEach((other) => { other.value = field.value; });
      sessionStorage.setItem("admin-key", field.value);
    });
  });
  function problem(text) {
    byId("problem").hidden = !text;
    byId("problem").textContent = text;
    if (text) byId("problem").scrollIntoView({ block: "nearest" });
  }
  async function send(event) {
    event.preventDefault();
    const form = event.target, body = new URLSearchParams(new FormData(form, event.submitter));
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
      if (answer.ok) { problem(""); await journal(); return; }
      const said = await answer.json();
      problem(said.detail + (said.hint ? " (" + said.hint + ")" : ""));
    } catch (error) {
      problem("The server does not answer.");
    }
  }
  byId("inject").addEventListener("submit", send);
  byId("clear").addEventListener("submit", send);
  const example = () => { byId("value").placeholder = byId("effect").selectedOptions[0].dataset.example; };
  byId("effect").addEventListener("change", example);
  example();

  // The journal needs the admin key, as on the control plane.
  async function journal() {
    const key = fields[0].value;
    if (!key) return;
    const asked = new URLSearchParams({ limit: "30" });
    if (state.session) asked.set("mock_session", state.session);
    const answer = await fetch("control/requests?" + asked, { headers: { "Api-Key": key } }).catch(() => null);
    byId("journal").hidden = !(answer && answer.ok);
    byId("journal-note").textContent = !answer ? "The server does not answer."
      : answer.ok ? "The last 30 requests, newest first." : "The admin key is not the right one.";
    if (!answer || !answer.ok) return;
    const entries = (await answer.json()).requests.slice(-30).reverse();
    fill(byId("journal"), entries, (one) => [
      ["time", one.at.slice(11, 23)], ["", one.surface],
      ["wrap", one.method + " " + one.path + (one.query ? "?" + one.query : "")], ["", one.app], ["num", String(one.status)],
    ]);
  }
  setInterval(journal, 3000);
  journal();

  show();
  const redraw = () => Object.values(charts).forEach((chart) => chart.redraw(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("resize", () => Object.entries(charts).forEach(([id, chart]) =>
    chart.setSize({ width: byId("chart-" + id).clientWidth, height: chart.height })));
})();
