// What the page does besides drawing: the contents follow the reader, tables are sorted and filtered, methods
// are hidden everywhere at once.
(() => {
  document.documentElement.classList.add("scripted");
  const hidden = new Set();

  // Contents: where one is; a menu on narrow screens.
  const menu = document.querySelector(".contents details");
  const narrow = matchMedia("(max-width: 71.99rem)");
  const links = new Map();
  document.querySelectorAll(".contents a[href^='#']").forEach((link) => {
    const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (heading && heading.id !== "content") links.set(heading, link);
  });
  const fold = () => { menu.open = !narrow.matches; };
  const follow = () => {
    let at = null;
    for (const heading of links.keys()) {
      if (heading.getBoundingClientRect().top < innerHeight / 3) at = heading;
    }
    if (innerHeight + scrollY >= document.documentElement.scrollHeight - 2) at = [...links.keys()].at(-1) ?? null;
    links.forEach((link, heading) => {
      if (heading !== at) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "location");
        if (!narrow.matches) link.scrollIntoView({ block: "nearest" });
      }
    });
    const page = document.querySelector(".contents a[aria-current='page']");
    menu.querySelector(".here").textContent = (links.get(at) ?? page)?.textContent ?? "";
  };
  if (menu) {
    fold();
    narrow.addEventListener("change", fold);
    menu.addEventListener("click", (event) => { if (narrow.matches && event.target.closest("a")) menu.open = false; });
    let waiting = false;
    addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; follow(); });
    }, { passive: true });
    follow();
  }

  // Tables.
  const arranged = [...document.querySelectorAll(".sortable")].map((box) => {
    const body = box.querySelector("tbody");
    const rows = [...body.rows];
    const form = box.querySelector(".filters");
    const search = form?.querySelector("input");
    const choices = form ? [...form.querySelectorAll("select")] : [];
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    const filter = () => {
      const words = (search?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        row.hidden = hidden.has(row.dataset.label)
          || choices.some((one) => one.value && row.cells[one.dataset.column].textContent !== one.value)
          || words.some((word) => !texts.get(row).includes(word));
        shown += !row.hidden;
      }
      if (form) form.querySelector("output").textContent = `${shown} of ${rows.length} rows`;
    };
    if (form) {
      form.hidden = false;
      form.addEventListener("input", filter);
      form.addEventListener("change", filter);
      form.addEventListener("submit", (event) => event.preventDefault());
      addEventListener("pageshow", filter);
    }
    const heads = [...box.querySelectorAll("thead th:not(.plain)")];
    const sort = (column) => {
      const head = heads[column];
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const numeric = head.classList.contains("number");
      const value = (row) => {
        const cell = row.cells[column];
        return numeric ? (cell.dataset.value === "" ? NaN : Number(cell.dataset.value.replace("inf", "Infinity"))) : cell.textContent;
      };
      const sign = descending ? -1 : 1;
      const keyed = rows.map((row) => [row, value(row)]);
      keyed.sort(([, a], [, b]) => {
        if (!numeric) return sign * a.localeCompare(b, undefined, { numeric: true });
        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
        return a === b ? 0 : sign * (a < b ? -1 : 1);
      });
      body.append(...keyed.map(([row]) => row));
    };
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(column));
    });
    return filter;
  });

  // Methods that are hidden: in tables here, in figures by whoever draws them.
  const methods = document.querySelector(".methods");
  const hide = () => {
    hidden.clear();
    methods.querySelectorAll("input:not(:checked)").forEach((one) => hidden.add(one.value));
    document.querySelectorAll(".matrix [data-label]").forEach((cell) => { cell.hidden = hidden.has(cell.dataset.label); });
    arranged.forEach((filter) => filter());
    document.dispatchEvent(new CustomEvent("methods", { detail: [...hidden] }));
  };
  if (methods) {
    methods.hidden = false;
    methods.addEventListener("change", hide);
    addEventListener("pageshow", hide);
  }
})();
