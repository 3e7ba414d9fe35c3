// Draws the network over the outline: boxes that the browser lays out, lines between them, and ways to walk through.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const plan = JSON.parse(byId("plan").textContent);
  const [view, sizer, canvas, details] = ["view", "sizer", "canvas", "details"].map(byId);
  const heads = [...document.querySelectorAll("#outline thead th")].map((head) => head.textContent);
  const facts = [...document.querySelectorAll("#outline tbody tr")].map((line) => {
    const cells = [...line.cells], name = cells.findIndex((cell) => cell.tagName === "TH");
    const links = cells.slice(-2).map((cell) => cell.querySelector("a")?.hash.slice(1) ?? "");
    return { line, name: cells[name], path: cells[name].title, cells, op: cells[name + 1].textContent, links };
  });
  const signs = { added: "+ ", removed: "− ", changed: "~ " };
  const OPEN = 150; // boxes that a network begins with, at most
  const LANE = 12;
  const items = []; // what can be chosen, in the order of running: { element, fact, level, parent }
  const levels = [];
  let scale = 1, chosen = null;

  const depth = (own) => (own.parent ? 1 + depth(own.parent) : 0);

  function make(tag, kind, text = "") {
    const element = document.createElement(tag);
    element.className = kind;
    element.textContent = text;
    return element;
  }

  function titled(element, node, fact, mark) {
    element.append(make("b", "", (signs[mark] ?? "") + fact.name.textContent), " ", make("span", "op", fact.op));
  }

  function item(element, fact, parent, level = null) {
    element.setAttribute("role", "treeitem");
    element.setAttribute("aria-level", 1 + depth({ parent }));
    element.setAttribute("aria-selected", "false");
    element.tabIndex = -1;
    const made = { element, fact, parent, level };
    fact.item = made;
    items.push(made);
    return made;
  }

  function drawn(node, parent) {
    const element = make("div", node.kind === "pass" || node.kind === "port" ? node.kind : `node ${node.mark}`);
    element.setAttribute("role", "none");
    if (node.kind === "end") {
      element.classList.add("end");
      element.append(make("b", "", node.title), make("span", "op", `  ${node.shape}`));
    } else if (node.kind === "level") {
      const fact = facts[node.row], head = make("div", "head");
      titled(head, node, fact, node.mark);
      element.classList.add("level");
      element.append(head);
      const own = item(head, fact, parent, node.inner), grid = built(node.inner, own);
      grid.id = `inside-${node.row}`;
      head.setAttribute("aria-expanded", "true");
      head.setAttribute("aria-owns", grid.id);
      element.append(grid);
    } else if (node.kind === "rows") {
      for (const [place, family] of node.rows) {
        const row = make("div", `row ${family || "other"}`);
        titled(row, node, facts[place], node.mark);
        if (row.firstChild.textContent === element.lastChild?.firstChild.textContent) row.classList.add("again"); // says its name once
        item(row, facts[place], parent);
        element.append(row);
      }
    }
    if (node.shape && node.kind !== "end") element.append(make("span", "shape", node.shape));
    element.querySelector(":scope > .shape")?.setAttribute("aria-hidden", "true");
    return element;
  }

  function built(level, parent) {
    const grid = level.grid = make("div", "grid");
    grid.setAttribute("role", parent ? "group" : "none");
    grid.style.setProperty("--lanes", level.lanes);
    grid.style.gridTemplateColumns = `1fr repeat(${level.columns}, auto) 1fr`; // what spans all makes none of them wider
    level.parent = parent;
    level.elements = [];
    for (const [rank, start, stop, nodes] of level.cells) {
      const cell = make("div", "cell");
      cell.setAttribute("role", "none");
      const all = start === 0 && stop === level.columns;
      cell.style.gridArea = `${rank + 1} / ${all ? 1 : start + 2} / ${rank + 2} / ${all ? -1 : stop + 2}`;
      if (nodes.every((place) => level.nodes[place].kind === "port")) cell.classList.add("ports");
      if (nodes.some((place) => level.ports[1].includes(place))) cell.classList.add("leaving");
      for (const place of nodes) cell.append((level.elements[place] = drawn(level.nodes[place], parent)));
      const said = nodes.map((place) => level.nodes[place]).filter((node) => node.shape && node.kind !== "end");
      cell.style.minWidth = `${Math.max(0, ...said.map((node) => 2 * node.shape.length + 4))}ch`; // what is said beside a line stays within
      grid.append(cell);
    }
    level.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    level.svg.setAttribute("aria-hidden", "true");
    grid.append(level.svg);
    levels.push(level);
    return grid;
  }

  // --- lines -----------------------------------------------------------------------------------

  function box(element, grid) {
    let x = 0, y = 0;
    for (let each = element; each !== grid; each = each.offsetParent) {
      x += each.offsetLeft + (each === element ? 0 : each.clientLeft);
      y += each.offsetTop + (each === element ? 0 : each.clientTop);
    }
    return { x, y, width: element.offsetWidth, height: element.offsetHeight };
  }

  function port(level, place, which, number) {
    const node = level.nodes[place], own = box(level.elements[place], level.grid);
    const inner = node.inner?.ports[which][number];
    if (inner === undefined || level.elements[place].classList.contains("closed")) {
      return { ...own, x: own.x + own.width / 2, free: true };
    }
    return { ...own, x: box(node.inner.elements[inner], level.grid).x };
  }

  const down = (x, y, toX, toY) => (Math.abs(x - toX) < 1 ? `V${toY}` : `C${x},${toY} ${toX},${y} ${toX},${toY}`);

  function lines(level) {
    const width = level.grid.clientWidth, inside = width - 14 - LANE * level.lanes;
    const arriving = new Map();
    const ends = level.edges.map(([from, out, to, into]) => {
      const end = { from: port(level, from, 1, out), to: port(level, to, 0, into) };
      if (end.to.free) arriving.set(to, [...(arriving.get(to) ?? []), end]);
      return end;
    });
    for (const some of arriving.values()) {
      some.sort((a, b) => a.from.x - b.from.x);
      const step = Math.min(24, some[0].to.width / (some.length + 1));
      some.forEach((end, i) => (end.to.x += (i - (some.length - 1) / 2) * step));
    }
    const goes = new Map();
    level.edges.forEach(([from, , , , lane, passes], i) => {
      const [at, aim] = [ends[i].from, ends[i].to], over = passes.length ? box(level.elements[passes[0]], level.grid).x : aim.x;
      if (lane < 0 && !passes.length && Math.abs(at.x - aim.x) < 3) (aim.free ? aim : at).x = (aim.free ? at : aim).x; // a pixel aside is no way aside
      if (lane < 0) goes.set(from, [...(goes.get(from) ?? []), over - at.x]);
    });
    level.elements.forEach((element, place) => { // beside a line, not below it
      const ways = goes.get(place) ?? [];
      element.querySelector(":scope > .shape")?.classList.toggle("beyond", ways.length > 0 && Math.max(...ways) < -3);
    });
    return level.edges.map(([, , to, , lane, passes, mark], i) => {
      const { from, to: end } = ends[i];
      let x = from.x, y = from.y + from.height, path = `M${x},${y}`;
      if (lane >= 0) {
        const side = inside + LANE * (lane + 0.5);
        path += `V${y + (from.height ? 18 : 12)}H${side}V${end.y - 10}H${end.x}V${end.y}`; // below what is said of others
      } else {
        for (const place of passes) {
          const pass = box(level.elements[place], level.grid), middle = pass.x + pass.width / 2;
          path += down(x, y, middle, pass.y) + `V${pass.y + pass.height}`;
          [x, y] = [middle, pass.y + pass.height];
        }
        const below = Math.max(y, end.y - 34);
        path += `V${below}` + down(x, below, end.x, end.y);
      }
      const head = level.nodes[to].kind === "port" ? "" : `<path class="arrow" d="M${end.x - 3.5},${end.y - 7}h7l-3.5,7z"/>`;
      return `<path class="edge ${mark}" d="${path}"/>${head}`;
    });
  }

  const seen = (level) => level.grid.offsetParent !== null;

  function draw() {
    const texts = levels.map((level) => (seen(level) ? lines(level).join("") : null));
    levels.forEach((level, i) => texts[i] === null || (level.svg.innerHTML = texts[i]));
    zoom(scale);
  }

  // --- near and far ----------------------------------------------------------------------------

  function zoom(to, x = view.clientWidth / 2, y = view.clientHeight / 2) {
    const next = Math.min(3, Math.max(0.1, to)), across = (view.scrollLeft + x) / scale, along = (view.scrollTop + y) / scale;
    scale = next;
    const beside = Math.max(0, (view.clientWidth - canvas.offsetWidth * scale) / 2);
    canvas.style.transform = `translateX(${beside}px) scale(${scale})`;
    sizer.style.width = `${canvas.offsetWidth * scale + beside}px`;
    sizer.style.height = `${canvas.offsetHeight * scale}px`;
    view.scrollLeft = across * scale - x;
    view.scrollTop = along * scale - y;
  }

  function fit(least = 0.1) {
    zoom(Math.min(1.2, Math.max(least, view.clientWidth / canvas.offsetWidth)));
    view.scrollTop = 0;
    view.scrollLeft = (sizer.offsetWidth - view.clientWidth) / 2;
  }

  function show(element) {
    const at = element.getBoundingClientRect(), around = view.getBoundingClientRect();
    if (at.left < around.left || at.right > around.right) view.scrollLeft += at.left + at.width / 2 - around.left - around.width / 2;
    if (at.top < around.top || at.bottom > around.bottom) view.scrollTop += at.top + at.height / 2 - around.top - around.height / 2;
  }

  // --- folding and choosing --------------------------------------------------------------------

  function close(own, closed) {
    own.element.parentElement.classList.toggle("closed", closed);
    own.element.setAttribute("aria-expanded", String(!closed));
  }

  const closed = (own) => own.element.parentElement.classList.contains("closed");
  const hidden = (own) => own.parent && (closed(own.parent) || hidden(own.parent));
  const visible = () => items.filter((own) => !hidden(own));

  function choose(own, focus = true) {
    let opened = false;
    for (let p = own.parent; p; p = p.parent) if (closed(p)) { close(p, false); opened = true; }
    if (opened) draw();
    if (chosen) { chosen.element.setAttribute("aria-selected", "false"); chosen.element.tabIndex = -1; }
    chosen = own;
    own.element.setAttribute("aria-selected", "true");
    own.element.tabIndex = 0;
    if (focus) own.element.focus({ preventScroll: true });
    show(own.element);
    tell(own.fact);
  }

  function excerpt(key) {
    const line = byId(key), text = make("pre", "");
    text.tabIndex = 0;
    for (const each of [line.previousElementSibling, line, line.nextElementSibling]) if (each) text.append(make(each === line ? "b" : "span", "", each.textContent));
    return text;
  }

  function tell(fact) {
    const list = make("dl", "");
    fact.cells.slice(0, -2).forEach((cell, i) => {
      if (cell !== fact.name && cell.textContent) list.append(make("dt", "", heads[i]), make("dd", "", cell.textContent));
    });
    details.replaceChildren(make("h2", "", fact.path), list);
    for (const key of fact.links.filter(Boolean)) {
      const name = byId(key).closest("section").querySelector("h2").textContent, link = make("a", "", `${name}, line ${key.split("-")[1]}`);
      link.href = `#${key}`;
      details.append(link, excerpt(key));
    }
  }

  // --- search ----------------------------------------------------------------------------------

  const search = byId("search"), hits = byId("hits");
  let found = [], at = -1;

  function look() {
    const word = search.value.trim().toLowerCase();
    found = word ? items.filter(({ fact }) => `${fact.path} ${fact.op}`.toLowerCase().includes(word)) : [];
    at = -1;
    for (const own of items) own.element.classList.toggle("hit", found.includes(own));
    hits.textContent = word ? `${found.length} found` : "";
  }

  function next(step) {
    if (!found.length) return;
    at = (at + step + found.length) % found.length;
    choose(found[at], false);
    hits.textContent = `${at + 1} of ${found.length}`;
  }

  search.addEventListener("input", look);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") next(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && chosen) chosen.element.focus();
    else return;
    event.preventDefault();
  });

  // --- keys and mouse --------------------------------------------------------------------------

  const folds = (own) => { close(own, !closed(own)); draw(); };
  const keys = {
    ArrowDown: (own, all) => choose(all[Math.min(all.indexOf(own) + 1, all.length - 1)]),
    ArrowUp: (own, all) => choose(all[Math.max(all.indexOf(own) - 1, 0)]),
    ArrowRight: (own, all) => { if (own.level && closed(own)) folds(own); else keys.ArrowDown(own, all); },
    ArrowLeft: (own) => { if (own.level && !closed(own)) folds(own); else if (own.parent) choose(own.parent); },
    Home: (own, all) => choose(all[0]),
    End: (own, all) => choose(all.at(-1)),
    Enter: (own) => (own.level ? folds(own) : choose(own)),
    " ": (own) => (own.level ? folds(own) : choose(own)),
  };

  canvas.addEventListener("keydown", (event) => {
    const own = items.find(({ element }) => element === event.target);
    if (!own || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    keys[event.key](own, visible());
    event.preventDefault();
  });
  byId("graph").addEventListener("keydown", (event) => {
    if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") search.select();
    else if (event.key === "+") zoom(scale * 1.25);
    else if (event.key === "-") zoom(scale / 1.25);
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
  });
  byId("closer").addEventListener("click", () => zoom(scale * 1.25));
  byId("farther").addEventListener("click", () => zoom(scale / 1.25));
  byId("fit").addEventListener("click", () => fit());
  for (const [id, shut] of [["fold", true], ["unfold", false]]) {
    byId(id).addEventListener("click", () => {
      items.filter((own) => own.level).forEach((own) => close(own, shut));
      draw();
      fit();
      let top = chosen;
      for (let p = chosen?.parent; p; p = p.parent) if (closed(p)) top = p;
      if (top) choose(top, false);
    });
  }

  let held = null, moved = false;
  view.addEventListener("pointerdown", (event) => {
    moved = false;
    if (event.button === 0 && event.pointerType === "mouse") held = [event.clientX, event.clientY, view.scrollLeft, view.scrollTop];
  });
  addEventListener("pointermove", (event) => {
    if (!held) return;
    const [x, y, left, top] = held, [across, along] = [event.clientX - x, event.clientY - y];
    moved ||= Math.abs(across) + Math.abs(along) > 4;
    view.classList.toggle("dragged", moved);
    if (moved) [view.scrollLeft, view.scrollTop] = [left - across, top - along];
  });
  addEventListener("pointerup", () => { held = null; view.classList.remove("dragged"); });
  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const around = view.getBoundingClientRect();
    zoom(scale * Math.exp(-event.deltaY / 300), event.clientX - around.left, event.clientY - around.top);
  }, { passive: false });
  canvas.addEventListener("click", (event) => {
    const element = event.target.closest(".row, .head");
    if (!element || moved) return;
    const own = items.find((each) => each.element === element);
    if (own.level) folds(own);
    choose(own);
  });

  // --- at last ---------------------------------------------------------------------------------

  byId("graph").hidden = false;
  document.documentElement.classList.add("drawn");
  canvas.append(built(plan, null));
  for (const fact of facts) {
    if (!fact.item) continue;
    const button = make("button", "named", fact.name.textContent);
    button.type = "button";
    button.addEventListener("click", () => { byId("graph").scrollIntoView(); choose(fact.item); });
    fact.name.replaceChildren(button);
  }
  const deep = items.map(depth);
  let limit = Math.max(0, ...deep);
  while (limit > 0 && deep.filter((each) => each <= limit).length > OPEN) limit -= 1;
  items.forEach((own, i) => own.level && deep[i] >= limit && limit < Math.max(...deep) && close(own, true));
  if (items.length) items[0].element.tabIndex = 0;
  draw();
  fit(0.7); // so that it can be read
  if (items.length) show(items[0].element);
  addEventListener("resize", draw);
})();
