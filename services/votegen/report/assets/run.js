(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("charts").textContent);
  const names = Object.keys(data.series);
  const color = (i) => getComputedStyle(document.documentElement).getPropertyValue("--series-" + (i % 4)).trim();
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const font = "12px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, 'DejaVu Sans', sans-serif";
  const axis = (extra) => Object.assign({
    stroke: () => css("muted"), grid: { stroke: () => css("line"), width: 1 },
    ticks: { stroke: () => css("line"), width: 1, size: 4 }, font,
  }, extra);
  const charts = [];
  function draw(id, columns, series, options) {
    const target = document.getElementById(id);
    if (!columns[0].length) { target.textContent = "no data"; return; }
    charts.push([target, new uPlot(Object.assign({
      width: target.clientWidth, height: 220, legend: { show: false }, padding: [10, 20, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { size: 5 } },
      scales: { x: { time: false }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [axis({ values: (u, v) => v.map((s) => s + " s"), size: 32 }), axis({ size: 62 })],
      series: [{}, ...series],
    }, options), columns, target)]);
  }
  const line = (i, dash) => ({ stroke: () => color(i), width: 2, dash, spanGaps: false, points: { show: data.x.length < 40, size: 4 } });
  const of = (key) => names.map((name) => data.series[name][key]);
  draw("chart-rate", [data.x, ...of("rate")], names.map((_, i) => line(i)));
  draw("chart-errors", [data.x, ...of("errors")], names.map((_, i) => line(i)));
  draw("chart-latency", [data.x, ...of("p99"), ...of("p50")], [...names.map((_, i) => line(i)), ...names.map((_, i) => line(i, [5, 4]))]);

  // Share of requests that took longer, against the latency: a tail is a line, not a corner.
  const edges = [...new Set(names.flatMap((name) => data.histograms[name].map(([edge]) => edge)))].sort((a, b) => a - b);
  const above = names.map((name) => {
    const counts = new Map(data.histograms[name]), total = data.histograms[name].reduce((sum, [, n]) => sum + n, 0);
    let left = total;
    return edges.map((edge) => {
      left -= counts.get(edge) || 0;
      return left > 0 ? left / total * 100 : null;
    });
  });
  draw("chart-distribution", [edges, ...above], names.map((_, i) => Object.assign(line(i), { points: { show: false } })), {
    scales: { x: { time: false, distr: 3 }, y: { distr: 3 } },
    axes: [axis({ values: (u, v) => v.map((ms) => ms === null ? "" : ms < 1000 ? ms + " ms" : ms / 1000 + " s"), size: 32 }), axis({ values: (u, v) => v.map((p) => p === null ? "" : p + " %"), size: 62 })],
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach(([, chart]) => chart.redraw(false)));
  addEventListener("resize", () => charts.forEach(([target, chart]) => chart.setSize({ width: target.clientWidth, height: chart.height })));
})();
