"use strict";
// Tables sort by a heading; the customer list can be filtered by words and risk, and taken along as CSV; what is
// folded opens for print. Without this script the page is complete, in its first order.
(() => {
  // What is missing has no data-v and goes last, whichever way is sorted.
  const value = (row, column) => row.cells[column].dataset.v ?? "";
  const compare = (numeric, sign, column) => (a, b) => {
    const x = value(a, column);
    const y = value(b, column);
    if (x === "" || y === "") return (x === "") - (y === "");
    return sign * (numeric ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true }));
  };

  const sortable = (table) => {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const headings = Array.from(table.tHead.rows[0].cells);
    const sort = (heading) => {
      const numeric = heading.dataset.kind === "number";
      const now = heading.getAttribute("aria-sort");
      const first = numeric && heading.dataset.first !== "ascending" ? "descending" : "ascending";
      const next = now === "none" ? first : now === "ascending" ? "descending" : "ascending";
      headings.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", next);
      rows.sort(compare(numeric, next === "ascending" ? 1 : -1, heading.cellIndex));
      body.append(...rows);
    };
    headings.forEach((heading) => heading.querySelector("button")?.addEventListener("click", () => sort(heading)));
  };
  document.querySelectorAll("table.sortable").forEach(sortable);

  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = Array.from(document.querySelectorAll("details:not([open])"));
    folded.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));

  const table = document.getElementById("customers");
  if (!table) return;
  const rows = Array.from(table.tBodies[0].rows);
  const search = document.getElementById("search");
  const risk = document.getElementById("risk-above");
  const told = document.getElementById("told");
  const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  const filter = () => {
    const wanted = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const above = risk ? Number(risk.value) : 0;
    let shown = 0;
    for (const row of rows) {
      const fits = wanted.every((word) => words.get(row).includes(word));
      row.hidden = !(fits && (above === 0 || Number(row.dataset.risk || 0) > above));
      shown += row.hidden ? 0 : 1;
    }
    told.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`;
  };

  // A spreadsheet takes a cell that begins with one of these for a formula.
  const cell = (text) => {
    const safe = /^[=+\-@\t\r]/.test(text) && !/^-?[\d.]+(e-?\d+)?$/i.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const save = () => {
    const fields = ["customer_id", "churn_probability", "clv", "clv_lower", "clv_upper", "p_alive",
      "expected_purchases", "decile", "frequency", "inactivity", "spend_total"];
    const customers = JSON.parse(document.getElementById("facts").textContent).base.customers;
    const byRank = new Map(customers.map((customer) => [String(customer.rank), customer]));
    const lines = Array.from(table.tBodies[0].rows).filter((row) => !row.hidden).map((row) => {
      const customer = byRank.get(row.dataset.rank);
      return [...fields.map((field) => customer[field] ?? ""), customer.reasons.join("; ")];
    });
    const text = [[...fields, "reasons"], ...lines].map((line) => line.map((x) => cell(String(x))).join(",")).join("\r\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
    link.download = "customers.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  };

  search.addEventListener("input", filter);
  risk?.addEventListener("change", filter);
  document.getElementById("save").addEventListener("click", save);
  document.getElementById("tools").hidden = false;
  filter();
})();
