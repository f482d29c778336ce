(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  if (!data.x.length) return;
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const tones = { pass: "good", fail: "bad", inconclusive: "warn" };
  const stopwatch = (seconds) => {
    const whole = Math.max(0, Math.round(seconds));
    const pad = (n) => String(n).padStart(2, "0");
    const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = whole % 60;
    return h ? h + ":" + pad(m) + ":" + pad(s) : m + ":" + pad(s);
  };
  const shown = (value, unit) => value === null ? "nothing" : Number(value.toPrecision(4)) + unit;
  const font = "12px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, 'DejaVu Sans', sans-serif";
  const axis = (values, extra) => Object.assign({
    stroke: () => color("muted"), grid: { stroke: () => color("line"), width: 1 },
    ticks: { stroke: () => color("line"), width: 1, size: 4 }, font, values,
  }, extra);
  const timeAxis = axis((u, splits) => splits.map(stopwatch), {
    incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400], space: 64, size: 34,
  });
  const lead = data.x.length > 1 ? data.x[1] - data.x[0] : data.span;
  const xScale = { time: false, range: () => [Math.max(0, data.x[0] - lead), Math.max(data.span, 1)] };

  // The verdict of every look as a strip above its window.
  function drawVerdicts(u) {
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    ctx.save();
    data.x.forEach((x, i) => {
      const left = u.valToPos(i ? data.x[i - 1] : Math.max(0, x - lead), "x", true);
      ctx.fillStyle = color(tones[data.verdicts[i]]);
      ctx.fillRect(left, bbox.top - 7 * ratio, u.valToPos(x, "x", true) - left, 4 * ratio);
    });
    ctx.restore();
  }

  function drawLine(level, name) {
    return (u) => {
      const { ctx, bbox } = u, ratio = devicePixelRatio, y = u.valToPos(level, "y", true);
      ctx.save();
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash([6 * ratio, 4 * ratio]);
      ctx.strokeStyle = color(name);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.restore();
    };
  }

  function tooltip(names, unit) {
    let tip;
    return {
      hooks: {
        init: (u) => { tip = document.createElement("div"); tip.className = "tip"; u.over.appendChild(tip); },
        setCursor: (u) => {
          const { left, top, idx } = u.cursor;
          if (left === undefined || left < 0 || idx === null || idx === undefined) { tip.style.display = "none"; return; }
          const lines = names.map((name, i) => name + ": " + shown(u.data[i + 1][idx] ?? null, unit));
          tip.textContent = [stopwatch(data.x[idx]) + "  " + data.verdicts[idx], ...lines].join("\n");
          tip.style.display = "block";
          const flip = left + 16 + tip.offsetWidth > u.over.clientWidth;
          tip.style.left = (flip ? left - tip.offsetWidth - 12 : left + 12) + "px";
          tip.style.top = Math.max(0, Math.min((top || 0) + 12, u.over.clientHeight - tip.offsetHeight)) + "px";
        },
      },
    };
  }

  const charts = [];
  function draw(id, { series, names, tints, unit, range, lines = [], bands }) {
    const target = document.getElementById(id);
    const options = {
      width: target.clientWidth, height: 190, legend: { show: false }, padding: [18, 14, 0, 0],
      cursor: { sync: { key: "run" }, drag: { x: false, y: false } },
      scales: { x: xScale, y: { range } },
      axes: [timeAxis, axis((u, splits) => splits.map((v) => Number(v.toPrecision(6)) + unit), { size: 72 })],
      series: [{}, ...tints.map((name) => ({
        stroke: () => color(name), width: 2, spanGaps: false,
        points: { show: true, size: 5, fill: () => color(name), stroke: () => color(name) },
      }))],
      bands,
      hooks: { drawClear: [drawVerdicts], draw: lines },
      plugins: [tooltip(names, unit)],
    };
    charts.push([target, new uPlot(options, [data.x, ...series], target)]);
  }

  const highest = (series, least) => Math.max(least, ...series.flat().filter((v) => v !== null)) * 1.08;
  const arms = ["canary", "stable"];
  const errors = arms.map((arm) => data.errors[arm]);
  draw("errors-chart", {
    series: errors, names: arms, tints: arms, unit: " %",
    range: () => [0, Math.min(highest(errors, 0.1), 100)],
  });
  const latency = arms.map((arm) => data.latency[arm]);
  if (latency.flat().some((v) => v !== null)) {
    draw("latency-chart", { series: latency, names: arms, tints: arms, unit: " ms", range: () => [0, highest(latency, 1)] });
  } else {
    document.getElementById("latency").remove();
  }
  const capped = (values) => values.map((v) => v === null ? null : Math.min(v, 200));
  draw("evidence-chart", {
    series: [capped(data.harm), capped(data.harmless)], names: ["harm", "harmlessness"],
    tints: ["bad", "good"], unit: " %", range: () => [0, Math.max(110, highest([capped(data.harm), capped(data.harmless)], 100))],
    lines: [drawLine(100, "plain")],
  });
  const part = (i) => data.difference.map((one) => one === null ? null : one[i]);
  const known = [part(0), part(2), part(1)];
  const middle = part(1).filter((v) => v !== null);
  const widest = Math.max(1, ...middle.map(Math.abs)) * 3;
  draw("difference-chart", {
    series: known, names: ["lower end", "upper end", "difference"], tints: ["muted", "muted", "canary"], unit: "",
    range: (u, low, high) => [Math.max(low ?? -1, -widest), Math.min(high ?? 1, widest)],
    lines: [drawLine(0, "plain")],
    bands: [{ series: [2, 1], fill: color("plain-soft") }],
  });
  const redraw = () => charts.forEach(([, chart]) => chart.redraw(false));
  const resize = () => charts.forEach(([target, chart]) => chart.setSize({ width: target.clientWidth, height: chart.height }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("resize", resize);
})();
