// Pages are complete without this script, which adds a search, sorting, and the days until a date.
"use strict";
{
  const DAY = 24 * 60 * 60 * 1000;
  const SOON = 30; // days
  const MANY = 8; // rows that are worth searching and sorting

  function made(tag, text, attributes = {}) {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  // The reader's clock, because a site is read on other days than it is written.
  function addDaysLeft() {
    const today = Math.floor(Date.now() / DAY);
    for (const time of document.querySelectorAll("time")) {
      const left = Date.parse(time.dateTime) / DAY - today;
      if (left > SOON) continue;
      const state = left < 0 ? "past" : "soon";
      const days = left === 1 ? "1 day left" : `${left} days left`;
      const said = left < 0 ? "expired" : left === 0 ? "last day" : days;
      time.classList.add(state);
      time.after(" ", made("span", `(${said})`, { class: `ids ${state}` }));
    }
  }

  function addSearch(table, rows) {
    const noun = table.dataset.noun;
    const input = made("input", "", { type: "search", id: `search-${noun}` });
    const status = made("span", "", { role: "status" });
    const label = made("label", `Search ${noun}s`, { for: input.id });
    label.append(input);
    const tools = made("div", "", { class: "tools", role: "search", "aria-label": `${noun}s` });
    tools.append(label, status);
    table.before(tools);
    const words = rows.map((row) => row.textContent.toLowerCase());
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/);
      let count = 0;
      rows.forEach((row, number) => {
        row.hidden = !wanted.every((word) => words[number].includes(word));
        count += !row.hidden;
      });
      status.textContent = `${count} of ${rows.length} shown`;
    });
  }

  function addSorting(table, rows) {
    const inOrder = new Intl.Collator("en", { numeric: true }).compare;
    table.classList.add("sortable");
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = made("button", head.textContent, { type: "button" });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keyed = rows.map((row, number) => {
          const cell = row.cells[column];
          const without = cell.querySelector(":scope > .none") !== null;
          return { row, number, without, text: cell.textContent.trim() };
        });
        keyed.sort(
          (one, other) =>
            one.without - other.without ||
            (down ? -1 : 1) * inOrder(one.text, other.text) ||
            one.number - other.number,
        );
        table.tBodies[0].append(...keyed.map((each) => each.row));
      });
    });
  }

  addDaysLeft();
  for (const table of document.querySelectorAll("table[data-noun]")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < MANY) continue;
    addSearch(table, rows);
    addSorting(table, rows);
  }
}
