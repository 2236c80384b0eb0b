// The page is complete without this script, which adds filters, and reasons beside the picture.
// It takes everything from the table, and lays nothing out.
"use strict";
{
  const byId = (id) => document.getElementById(id);
  const svg = document.querySelector("svg.reach");
  const scroll = byId("picture");
  const panel = byId("panel");
  const team = byId("team");
  const text = byId("text");
  const below = matchMedia("(max-width: 60rem)"); // the panel, as in page.css
  const kinds = [...document.querySelectorAll("input[name=kind]")];

  const edges = [...byId("edges").tBodies[0].rows].map((row) => ({
    row,
    summary: row.querySelector("summary"),
    kind: row.dataset.kind,
    ends: [Number(row.dataset.source), Number(row.dataset.target)],
    teams: row.dataset.teams.split(" "),
    words: row.textContent.toLowerCase(),
    shown: true,
  }));
  const cards = [...svg.querySelectorAll("[data-node]")].map((element) => ({
    element,
    name: element.querySelector("title").textContent,
    number: Number(element.dataset.node),
    box: element.getBBox(),
    edges: [],
  }));
  const links = [...svg.querySelectorAll("[data-edges]")].map((element) => ({
    element,
    name: element.querySelector("title").textContent,
    edges: element.dataset.edges.split(" ").map((number) => edges[Number(number)]),
  }));
  const cardOf = new Map(cards.map((card) => [card.number, card]));
  for (const edge of edges) {
    for (const end of new Set(edge.ends)) cardOf.get(end).edges.push(edge);
  }

  // What is shown in the panel: a card or a link, and perhaps one of its edges.
  let selected = null;
  let pressed = null;

  function filter() {
    const wanted = text.value.trim().toLowerCase();
    const checked = new Set(kinds.filter((each) => each.checked).map((each) => each.value));
    let count = 0;
    for (const edge of edges) {
      edge.shown =
        checked.has(edge.kind) &&
        (!team.value || edge.teams.includes(team.value)) &&
        edge.words.includes(wanted);
      edge.row.hidden = !edge.shown;
      count += edge.shown;
    }
    const shown = (edge) => edge.shown;
    for (const link of links) link.element.classList.toggle("off", !link.edges.some(shown));
    for (const card of cards) card.element.classList.toggle("dim", !card.edges.some(shown));
    byId("count").textContent = `${count} of ${edges.length} connections`;
    rove(edges.map((edge) => edge.summary), edges.find(shown)?.summary);
    if (selected) select(selected, null);
  }

  function scrollToTeam() {
    const first = cards.find((card) => card.name.startsWith(`${team.value}/`));
    if (!team.value || !first) return;
    const [outer, inner] = [scroll, first.element].map((each) => each.getBoundingClientRect());
    scroll.scrollBy(inner.left - outer.left - 40, inner.top - outer.top - 70);
  }

  // Of these elements, one is a stop of the Tab key; arrow keys move between them.
  function rove(elements, stop) {
    for (const element of elements) element.tabIndex = element === stop ? 0 : -1;
  }

  function select(what, edge) {
    selected = what;
    pressed = edge;
    const on = new Set(edge ? [edge] : what.edges.filter((each) => each.shown));
    svg.classList.add("selected");
    for (const link of links) {
      link.element.classList.toggle("on", link.edges.some((each) => on.has(each)));
    }
    const ends = new Set([...on].flatMap((each) => each.ends));
    if (what.number !== undefined) ends.add(what.number);
    for (const card of cards) {
      card.element.classList.toggle("on", ends.has(card.number));
      card.element.setAttribute("aria-pressed", String(card === what));
    }
    if (!edge) fill(what);
    for (const button of panel.querySelectorAll("button.ends")) {
      button.setAttribute("aria-pressed", String(edge === edges[button.value]));
    }
  }

  function fill(what) {
    const shown = what.edges.filter((edge) => edge.shown);
    const many = `${shown.length} connection${shown.length === 1 ? "" : "s"}`;
    byId("selected").textContent = what.number === undefined ? "Connection" : what.name;
    const all = what.edges.length === shown.length;
    byId("selected-count").textContent = all ? many : `${many} shown`;
    byId("selected-edges").replaceChildren(...shown.map(item));
    byId("clear").hidden = false;
  }

  function item(edge) {
    const [source, target, port] = [...edge.row.cells].map((cell) => cell.textContent);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "ends";
    button.value = String(edges.indexOf(edge));
    button.textContent = `${source} → ${target} ${port}`;
    const entry = document.createElement("li");
    entry.append(button, edge.row.querySelector(".reasons").cloneNode(true));
    return entry;
  }

  function clear() {
    selected = pressed = null;
    svg.classList.remove("selected");
    for (const { element } of [...cards, ...links]) element.classList.remove("on");
    for (const { element } of cards) element.setAttribute("aria-pressed", "false");
    byId("selected").textContent = "Reasons";
    byId("selected-count").textContent = "Select an app or a connection in the picture.";
    byId("selected-edges").replaceChildren();
    byId("clear").hidden = true;
  }

  // The nearest card in the direction of an arrow key.
  function next(from, key) {
    const across = { ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0;
    const down = { ArrowUp: -1, ArrowDown: 1 }[key] ?? 0;
    const middle = ({ box }) => [box.x + box.width / 2, box.y + box.height / 2];
    const [x, y] = middle(from);
    let [best, least] = [from, Infinity];
    for (const card of cards) {
      const [dx, dy] = [middle(card)[0] - x, middle(card)[1] - y];
      const ahead = dx * across + dy * down;
      const far = ahead + 3 * Math.abs(dx * down + dy * across);
      if (ahead > 1 && far < least) [best, least] = [card, far];
    }
    return best;
  }

  function found(event) {
    const element = event.target.closest("[data-node], [data-edges]");
    return [...cards, ...links].find((each) => each.element === element);
  }

  svg.addEventListener("click", (event) => {
    const what = found(event);
    if (!what) return;
    select(what, null);
    if (what.number !== undefined) focus(what);
    if (below.matches) panel.scrollIntoView({ block: "nearest" });
  });

  function focus(card) {
    rove(cards.map((each) => each.element), card.element);
    card.element.focus({ preventScroll: true });
    card.element.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  svg.addEventListener("keydown", (event) => {
    const card = found(event);
    if (!card) return;
    if (event.key === "Enter" || event.key === " ") select(card, null);
    else if (event.key.startsWith("Arrow")) focus(next(card, event.key));
    else if (event.key === "Home") focus(cards[0]);
    else if (event.key === "End") focus(cards[cards.length - 1]);
    else return;
    event.preventDefault();
  });

  panel.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.id === "clear") {
      clear();
      cards.find((each) => each.element.tabIndex === 0).element.focus();
    } else if (button) {
      const edge = edges[button.value];
      select(selected, edge === pressed ? null : edge);
      if (!pressed) panel.querySelector(`button[value="${button.value}"]`).focus();
    }
  });

  byId("edges").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.localName !== "summary") return;
    const shown = edges.filter((edge) => edge.shown).map((edge) => edge.summary);
    const summary = shown[shown.indexOf(event.target) + step];
    if (summary) {
      rove(shown, summary);
      summary.focus();
    }
    event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && selected) clear();
  });

  text.addEventListener("input", filter);
  for (const element of [team, ...kinds]) element.addEventListener("change", filter);
  team.addEventListener("change", scrollToTeam);
  byId("fit").addEventListener("change", ({ target }) => {
    svg.classList.toggle("fit", target.checked);
  });

  for (const { element } of cards) element.setAttribute("role", "button");
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", "Apps and what they reach");
  if (cards.length) {
    scroll.removeAttribute("tabindex");
    rove(cards.map((each) => each.element), cards[0].element);
  }
  for (const id of ["filters", "panel", "keys"]) byId(id).hidden = false;
  clear();
  filter();
}
