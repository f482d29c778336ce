(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const tones = { Successful: "good", Failed: "bad", Error: "bad", Inconclusive: "warn" };
  const tone = (phase) => tones[phase] || "plain";
  const stopwatch = (seconds) => {
    const whole = Math.max(0, Math.round(seconds));
    const pad = (n) => String(n).padStart(2, "0");
    const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = whole % 60;
    return h ? h + ":" + pad(m) + ":" + pad(s) : m + ":" + pad(s);
  };
  const utc = (seconds) => new Date((data.start + seconds) * 1000).toISOString().slice(11, 19) + " UTC";
  const percent = (value) => value === 0 ? "0 %" : value < 1 ? value.toFixed(2) + " %" : value.toFixed(1) + " %";
  const weightAt = (x) => {
    let weight = 0;
    for (const [at, value] of data.weights) if (at <= x) weight = value;
    return weight;
  };
  const family = "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, 'DejaVu Sans', sans-serif";
  const font = "12px " + family;

  // AnalysisRuns as bands behind both charts, so that a rate can be read against who judged it.
  function drawBands(u, labelled) {
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    ctx.save();
    for (const band of data.bands) {
      const left = u.valToPos(band.from, "x", true);
      const width = Math.max(u.valToPos(band.to, "x", true) - left, 2 * ratio);
      ctx.fillStyle = color(tone(band.phase) + "-soft");
      ctx.fillRect(left, bbox.top, width, bbox.height);
      if (!labelled) continue;
      ctx.fillStyle = color(tone(band.phase));
      ctx.font = 11 * ratio + "px " + family;
      ctx.textBaseline = "bottom";
      const middle = left + width / 2, half = ctx.measureText(band.label).width / 2;
      ctx.textAlign = "left";
      const start = Math.min(Math.max(middle - half, bbox.left), bbox.left + bbox.width - 2 * half);
      ctx.fillText(band.label, start, bbox.top - 3 * ratio);
    }
    ctx.restore();
  }

  function drawThresholds(u) {
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    ctx.save();
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash([6 * ratio, 4 * ratio]);
    ctx.strokeStyle = color("bad");
    for (const threshold of data.thresholds) {
      const y = u.valToPos(threshold.limit, "y", true);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  function drawReadings(u) {
    const { ctx } = u, ratio = devicePixelRatio, size = 6 * ratio;
    ctx.save();
    ctx.lineWidth = 1.5 * ratio;
    ctx.strokeStyle = color("card");
    for (const reading of data.readings) {
      const x = u.valToPos(reading.x, "x", true), y = u.valToPos(reading.value, "y", true);
      ctx.beginPath();
      ctx.moveTo(x, y - size); ctx.lineTo(x + size, y); ctx.lineTo(x, y + size); ctx.lineTo(x - size, y);
      ctx.closePath();
      ctx.fillStyle = color(tone(reading.phase));
      ctx.fill();
      ctx.stroke();
      ctx.font = 11 * ratio + "px " + family;
      ctx.textAlign = x > u.bbox.left + u.bbox.width - 40 * ratio ? "right" : "left";
      ctx.textBaseline = "bottom";
      ctx.fillText(String(reading.value), x + (ctx.textAlign === "left" ? 1 : -1) * size, y - size);
    }
    ctx.restore();
  }

  function tooltip(lines) {
    let tip;
    return {
      hooks: {
        init: (u) => { tip = document.createElement("div"); tip.className = "tip"; u.over.appendChild(tip); },
        setCursor: (u) => {
          const { left, top } = u.cursor;
          if (left === undefined || left < 0) { tip.style.display = "none"; return; }
          const x = u.posToVal(left, "x");
          tip.textContent = [stopwatch(x) + "  " + utc(x), ...lines(x)].join("\n");
          tip.style.display = "block";
          const flip = left + 16 + tip.offsetWidth > u.over.clientWidth;
          tip.style.left = (flip ? left - tip.offsetWidth - 12 : left + 12) + "px";
          tip.style.top = Math.max(0, Math.min((top || 0) + 12, u.over.clientHeight - tip.offsetHeight)) + "px";
        },
      },
    };
  }

  const axis = (values, extra) => Object.assign({
    stroke: () => color("muted"), grid: { stroke: () => color("line"), width: 1 },
    ticks: { stroke: () => color("line"), width: 1, size: 4 }, font, values,
  }, extra);
  const timeAxis = axis((u, splits) => splits.map(stopwatch), {
    incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400], space: 64, size: 34,
  });
  const base = (id, height) => ({
    width: document.getElementById(id).clientWidth, height,
    legend: { show: false }, padding: [18, 14, 0, 0],
    cursor: { sync: { key: "run" }, drag: { x: false, y: false }, points: { show: false } },
  });
  const xScale = { time: false, range: () => [0, Math.max(data.span, 1)] };
  const charts = [];
  function draw(id, options, series) {
    const target = document.getElementById(id);
    charts.push([target, new uPlot(options, series, target)]);
  }

  draw("weight-chart", Object.assign(base("weight-chart", 170), {
    scales: { x: xScale, y: { range: () => [0, 100] } },
    axes: [timeAxis, axis((u, s) => s.map((v) => v + " %"), { size: 56, incrs: [25, 50] })],
    series: [{}, {
      stroke: () => color("canary"), width: 2, fill: () => color("canary") + "33",
      paths: uPlot.paths.stepped({ align: 1 }), points: { show: false },
    }],
    hooks: { drawClear: [(u) => drawBands(u, true)] },
    plugins: [tooltip((x) => ["weight " + weightAt(x) + " %"])],
  }), [data.weights.map((w) => w[0]), data.weights.map((w) => w[1])]);

  const peak = Math.max(
    1, ...data.thresholds.map((t) => t.limit * 1.5), ...data.readings.map((r) => r.value),
    ...data.versions.flatMap((v) => v.rate.filter((rate) => rate !== null)),
  );
  const nearest = (x) => {
    let best = -1;
    data.x.forEach((value, i) => { if (best < 0 || Math.abs(value - x) < Math.abs(data.x[best] - x)) best = i; });
    return best;
  };
  draw("rate-chart", Object.assign(base("rate-chart", 260), {
    scales: { x: xScale, y: { range: () => [0, Math.min(peak * 1.08, 100)] } },
    axes: [timeAxis, axis((u, s) => s.map((v) => v + " %"), { size: 56 })],
    series: [{}, ...data.versions.map((version) => ({
      stroke: () => color(version.role), width: 2, spanGaps: false,
      points: { show: true, size: 4, fill: () => color(version.role), stroke: () => color(version.role) },
    }))],
    hooks: { drawClear: [(u) => drawBands(u, false)], draw: [drawThresholds, drawReadings] },
    plugins: [tooltip((x) => {
      const i = nearest(x);
      if (i < 0) return ["no traffic observed"];
      return data.versions.map((v) => v.label + ": " + (v.rate[i] === null
        ? "no requests" : percent(v.rate[i]) + " (" + v.errors[i] + " of " + v.requests[i] + ")"));
    })],
  }), [data.x, ...data.versions.map((v) => v.rate)]);

  const legend = document.getElementById("legend");
  function key(kind, name, text) {
    const entry = document.createElement("span"), mark = document.createElement("i");
    mark.className = kind;
    if (kind === "block") mark.style.background = "var(--" + name + ")";
    else mark.style.borderTopColor = "var(--" + name + ")";
    entry.append(mark, text);
    legend.append(entry);
  }
  data.versions.forEach((version) => key("", version.role, version.label));
  data.thresholds.forEach((t) => key("dashed", "bad", "threshold " + t.limit + " % (" + t.label + ")"));
  if (data.bands.length) key("block", "good-soft", "AnalysisRun");

  const redraw = () => charts.forEach(([, chart]) => chart.redraw(false));
  const resize = () => charts.forEach(([target, chart]) => chart.setSize({ width: target.clientWidth, height: chart.height }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  matchMedia("print").addEventListener("change", () => { resize(); redraw(); });
  addEventListener("resize", resize);
})();
