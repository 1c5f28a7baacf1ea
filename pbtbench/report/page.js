// Upgrade each drawn figure to its interactive view, when it comes near the window.
(() => {
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const upgrade = async (chart) => {
    const spec = structuredClone(specs[chart.id]);
    const still = chart.innerHTML;
    spec.width = "container";
    spec.autosize = { type: "fit-x", contains: "padding" };
    spec.config.legend.columns = chart.clientWidth < 420 ? 3 : 5;
    try {
      chart.classList.add("live");
      await vegaEmbed(chart, spec, { renderer: "svg", actions: false });
    } catch (error) {
      chart.classList.remove("live", "vega-embed");
      chart.innerHTML = still;
      console.error(error);
    }
  };
  const seen = new IntersectionObserver(
    (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => {
      seen.unobserve(e.target);
      upgrade(e.target);
    }),
    { rootMargin: "400px" },
  );
  document.querySelectorAll(".chart").forEach((chart) => seen.observe(chart));
})();
