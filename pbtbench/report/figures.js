// Draw each figure, when it comes near the window, from the rows that the page has once; leave out the methods
// that the page hides.
(() => {
  const page = JSON.parse(document.getElementById("drawing").textContent);
  document.documentElement.classList.add("drawing");
  const views = [];
  let hidden = [];
  const draw = async (chart) => {
    const figure = page.figures[chart.id];
    const data = page.data[figure.group];
    const spec = structuredClone(figure.spec);
    spec.datasets = Object.fromEntries(figure.uses.map((name) => [name, structuredClone(data[name])]));
    spec.config = structuredClone(page.config);
    spec.width = "container";
    spec.autosize = { type: "fit-x", contains: "padding" };
    spec.config.legend.columns = Math.max(1, Math.floor(chart.clientWidth / 112));
    const toggled = spec.params?.find((param) => param.name === "hidden");
    if (toggled) toggled.value = hidden;
    const options = { renderer: "svg", actions: false, logLevel: 1 };  // errors alone: a figure may be empty
    const place = chart.appendChild(document.createElement("div"));
    try {
      const { view } = await vegaEmbed(place, spec, options);
      if (toggled) views.push(view);
      if (toggled) await view.signal("hidden", hidden).runAsync();
      chart.classList.add("live");
    } catch (error) {
      place.remove();
      chart.classList.add("failed");
      console.error(error);
    }
  };
  document.addEventListener("methods", (event) => {
    hidden = event.detail;
    views.forEach((view) => view.signal("hidden", hidden).runAsync());
  });
  const seen = new IntersectionObserver(
    (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => {
      seen.unobserve(e.target);
      draw(e.target);
    }),
    { rootMargin: "400px" },
  );
  document.querySelectorAll(".chart").forEach((chart) => seen.observe(chart));
})();
