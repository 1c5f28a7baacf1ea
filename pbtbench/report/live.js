// A page that is served while its study runs: load it again once there is a later one.
(() => {
  const mine = document.querySelector("meta[name='version']").content;
  setInterval(async () => {
    if (document.visibilityState !== "visible") return;
    try {
      const answer = await fetch("/version", { cache: "no-store" });
      if (answer.ok && (await answer.text()) !== mine) location.reload();
    } catch {
      // Nobody serves it any more: what is shown stays.
    }
  }, 1500);
})();
