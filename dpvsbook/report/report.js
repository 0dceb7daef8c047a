(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")];
  if (!plots.length) return;
  if (typeof Plotly === "undefined") {
    for (const plot of plots) plot.querySelector(".quiet").hidden = false;
    return;
  }
  const themed = (layout) => {
    const ink = dark.matches ? "#c3ccd6" : "#3d4956";
    const hover = dark.matches ? {bgcolor: "#1d2630", bordercolor: "#3a4552"} : {bgcolor: "#ffffff", bordercolor: "#cbd2d9"};
    return {...layout, autosize: true, font: {...layout.font, color: ink}, hoverlabel: {...hover, font: {color: ink}}};
  };
  const draw = () => {
    for (const plot of plots) {
      const figure = JSON.parse(plot.nextElementSibling.textContent);
      Plotly.react(plot, figure.data, themed(figure.layout), {responsive: true, displaylogo: false, displayModeBar: "hover"});
    }
  };
  for (const plot of plots) plot.replaceChildren();
  draw();
  dark.addEventListener("change", draw);
})();
// What is folded is printed unfolded: the plan's inverses, not the logs, which would be a book.
addEventListener("beforeprint", () => document.querySelectorAll("details:not(.log)").forEach((fold) => { fold.open = true; }));
