// Draw each figure, when it comes near the window, from the rows that the page has once.
(() => {
  const page = JSON.parse(document.getElementById("drawing").textContent);
  document.documentElement.classList.add("drawing");
  const draw = async (chart) => {
    const figure = page.figures[chart.id];
    const data = page.data[figure.group];
    const spec = structuredClone(figure.spec);
    spec.datasets = Object.fromEntries(figure.uses.map((name) => [name, structuredClone(data[name])]));
    spec.config = structuredClone(page.config);
    spec.width = "container";
    spec.autosize = { type: "fit-x", contains: "padding" };
    spec.config.legend.columns = chart.clientWidth < 420 ? 3 : 5;
    const place = chart.appendChild(document.createElement("div"));
    try {
      await vegaEmbed(place, spec, { renderer: "svg", actions: false });
      chart.classList.add("live");
    } catch (error) {
      place.remove();
      chart.classList.add("failed");
      console.error(error);
    }
  };
  const seen = new IntersectionObserver(
    (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => {
      seen.unobserve(e.target);
      draw(e.target);
    }),
    { rootMargin: "400px" },
  );
  document.querySelectorAll(".chart").forEach((chart) => seen.observe(chart));
})();
