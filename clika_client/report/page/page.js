"use strict";
// Every text of a model or a file enters the page by textContent: none of it is ever read as markup.
(() => {
  const root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.getElementById("theme").addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(d => { d.open = true; }));

  const live = document.getElementById("live");
  if (live) {
    let seen = null;
    setInterval(async () => {
      try {
        const now = await (await fetch(live.dataset.address)).text();
        if (seen !== null && now !== seen) {
          live.replaceChildren("New replies have arrived. ", make("button", { type: "button", text: "Show them" }));
          live.lastChild.addEventListener("click", () => location.reload());
        }
        if (seen === null) seen = now;
      } catch { live.textContent = "The server has stopped; this page stays as it is."; }
    }, 3000);
  }

  function make(name, { text, ...attributes } = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    node.append(...children);
    return node;
  }

  // A text of a model in the direction of the question's language wherever it has a letter of that direction, whatever it
  // begins with; each run of the other direction stands isolated, so that it moves nothing around it.
  const RTL = "\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufefc\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}";
  const LETTER = { rtl: `(?=\\p{L})[${RTL}]`, ltr: `(?![${RTL}])\\p{L}` };
  const run = (own, other) => new RegExp(`${other}(?:(?:(?!${own})[^\\n])*(?:${other}|(?!${own})[\\p{N})\\]}]))?`, "gu");
  const FOREIGN = { rtl: run(LETTER.rtl, LETTER.ltr), ltr: run(LETTER.ltr, LETTER.rtl) };
  const TURNED = { rtl: "ltr", ltr: "rtl" };
  function written(name, classes, language, text) {
    const base = new RegExp(LETTER[language.dir], "u").test(text) ? language.dir
      : new RegExp(LETTER[TURNED[language.dir]], "u").test(text) ? TURNED[language.dir] : language.dir;
    const node = make(name, { class: classes, lang: language.tag, dir: base });
    let from = 0;
    for (const found of text.matchAll(FOREIGN[base])) {
      node.append(text.slice(from, found.index), make("bdi", { dir: TURNED[base], text: found[0] }));
      from = found.index + found[0].length;
    }
    node.append(text.slice(from));
    return node;
  }

  async function unpack() {
    const packed = Uint8Array.from(atob(document.getElementById("data").textContent.trim()), c => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // Matrices of many rows are drawn when they are opened: drawn at once they would be most of the page.
  function matrix(node) {
    const held = data.pairs[node.dataset.table][Number(node.dataset.row)];
    const head = make("tr", {}, make("th", { scope: "col" }, make("span", { "aria-hidden": "true", text: "anchor" })),
      ...held.languages.map(tag => make("th", { scope: "col", text: tag })));
    const spell = v => (v < 0 ? "−" : "") + Math.abs(v).toFixed(2).replace(/^0/, "");
    const cell = (v, same) => v === null || same ? make("td", { class: "none", text: "–" })
      : make("td", { class: "h" + Math.min(Math.max(Math.round(v * (held.steps - 1)), 0), held.steps - 1), text: spell(v) });
    const lines = held.values.map((row, i) => make("tr", {}, make("th", { scope: "row", text: held.languages[i] }), ...row.map((v, j) => cell(v, i === j))));
    const label = "Matrix of " + node.querySelector("summary").textContent;
    node.append(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
      make("table", { class: held.languages.length > 14 ? "heat wide" : "heat" }, make("thead", {}, head), make("tbody", {}, ...lines))));
    node.dataset.full = "1";
  }
  document.querySelectorAll("details.pairs").forEach(node => node.addEventListener("toggle", () => {
    if (node.open && !node.dataset.full && data) matrix(node);
  }));

  const PAGE = 20;
  const form = document.getElementById("filters"), box = document.getElementById("items");
  const found = document.getElementById("found"), place = document.getElementById("place");
  const before = document.getElementById("before"), after = document.getElementById("after");
  let data, set, hits = [], at = 0;

  function field(name, label, choices) {
    const select = make("select", { name });
    for (const [value, text] of choices) select.append(make("option", { value, text }));
    form.append(make("label", { text: label }, select));
    return select;
  }

  function build() {
    const kept = Object.fromEntries(new FormData(form));
    form.replaceChildren();
    const sets = field("set", "Probe set", data.sets.map((s, i) => [i, s.name]));
    sets.value = data.sets.indexOf(set);
    const tags = set.languages.map(l => [l.tag, l.tag]);
    field("row", "Model", [["", "any"], ...set.rows.map((r, i) => [i, r])]);
    field("right", "right in", [["", "–"], ...tags]);
    field("wrong", "and not right in", [["", "–"], ...tags]);
    field("show", "show languages", [["", "all"], ...tags]);
    const known = [...new Set(set.items.flatMap(i => i.tags))].sort();
    if (known.length) field("tag", "tag", [["", "any"], ...known.slice(0, 500).map(t => [t, t])]);
    const search = make("input", { name: "text", type: "search", placeholder: "words or an id" });
    form.append(make("label", { text: "search" }, search));
    for (const [name, value] of Object.entries(kept)) {
      const input = form.elements[name];
      if (input && name !== "set" && (input.type === "search" || [...input.options].some(o => o.value === value))) input.value = value;
    }
  }

  const code = (row, tag, i) => set.codes[row][tag] === undefined ? -2 : set.codes[row][tag][i];
  const isRight = (row, tag, i) => code(row, tag, i) === set.items[i].gold;
  const wasAsked = (row, tag, i) => code(row, tag, i) !== -2;

  function matches(i, wish) {
    const rows = wish.row === "" ? set.rows.map((_, r) => r) : [Number(wish.row)];
    if (wish.tag && !set.items[i].tags.includes(wish.tag)) return false;
    if (wish.right || wish.wrong) {
      const fits = rows.some(r => (!wish.right || isRight(r, wish.right, i))
        && (!wish.wrong || (wasAsked(r, wish.wrong, i) && !isRight(r, wish.wrong, i))));
      if (!fits) return false;
    }
    if (wish.text) {
      const sought = wish.text.toLowerCase();
      const said = [set.items[i].id, ...Object.values(set.asked).map(q => q[i] ? q[i][1] + " " + q[i][2].join(" ") : "")];
      if (!said.some(s => s.toLowerCase().includes(sought))) return false;
    }
    return true;
  }

  function filter() {
    const wish = Object.fromEntries(new FormData(form));
    hits = set.items.map((_, i) => i).filter(i => matches(i, wish));
    at = 0;
    draw(wish);
  }

  function draw(wish = Object.fromEntries(new FormData(form))) {
    found.textContent = `${hits.length} of ${set.items.length} questions`;
    box.replaceChildren(...hits.slice(at, at + PAGE).map(i => item(i, wish)));
    place.textContent = hits.length ? `${at + 1} to ${Math.min(at + PAGE, hits.length)}` : "";
    before.disabled = at === 0;
    after.disabled = at + PAGE >= hits.length;
  }

  function item(i, wish) {
    const languages = set.languages.filter(l => set.asked[l.tag] && set.asked[l.tag][i]);
    const first = languages.find(l => l.tag === set.anchor) || languages[0];
    let right = 0, all = 0;
    set.rows.forEach((_, r) => languages.forEach(l => { if (wasAsked(r, l.tag, i)) { all += 1; right += isRight(r, l.tag, i); } }));
    const summary = make("summary", {},
      make("span", { class: "ask", lang: first.tag, dir: first.dir, text: set.asked[first.tag][i][1].split("\n")[0] }),
      make("span", { class: "tally", text: `${right} of ${all} right` }));
    const node = make("details", { class: "item" }, summary);
    node.addEventListener("toggle", () => { if (node.open && !node.dataset.full) fill(node, i, languages, wish); });
    return node;
  }

  function fill(node, i, languages, wish) {
    node.dataset.full = "1";
    node.append(make("p", { class: "tags", text: [set.items[i].id, ...set.items[i].tags].join(" · ") }));
    const shown = wish.show ? languages.filter(l => l.tag === wish.show || l.tag === set.anchor)
      : languages.filter(l => !wish.wrong || [wish.wrong, wish.right, set.anchor].includes(l.tag)).concat(
        wish.wrong ? languages.filter(l => ![wish.wrong, wish.right, set.anchor].includes(l.tag)) : []);
    const rows = wish.row === "" ? set.rows.map((_, r) => r) : [Number(wish.row)];
    node.append(overview(i, languages, rows));
    for (const l of shown) {
      const [context, question, options] = set.asked[l.tag][i];
      const list = make("ol", { lang: l.tag, dir: l.dir });
      options.forEach((option, o) => list.append(make("li", o === set.items[i].gold ? { class: "gold", text: option + " ✓" } : { text: option })));
      const section = make("section", {}, make("h4", { text: l.tag }));
      if (context) section.append(make("p", { class: "q", lang: l.tag, dir: l.dir, text: context }));
      section.append(make("p", { class: "q", lang: l.tag, dir: l.dir, text: question }), list, answers(i, l, rows, options));
      node.append(section);
    }
  }

  const MARKS = { right: "✓", wrong: "✗", no: "○", elsewhere: "◐", none: "" };
  const WORDS = { right: "right", wrong: "wrong", no: "no answer", elsewhere: "right in another language", none: "not asked" };
  // Codes that are no options: see answer_codes.py.
  const NO_ANSWER = -1, MISSING = -2, ELSEWHERE = -4;
  const verdict = (r, tag, i) => {
    const chosen = code(r, tag, i);
    if (chosen === MISSING) return "none";
    if (chosen === NO_ANSWER) return "no";
    if (chosen === ELSEWHERE) return "elsewhere";
    return chosen === set.items[i].gold ? "right" : "wrong";
  };

  // The question at a glance: a row per model, a column per language.
  function overview(i, languages, rows) {
    const head = make("tr", {}, make("th", { scope: "col", text: "row" }), ...languages.map(l => make("th", { scope: "col", text: l.tag })));
    const lines = rows.map(r => make("tr", {}, make("th", { scope: "row" }, make("bdi", { text: set.rows[r] })), ...languages.map(l => {
      const kind = verdict(r, l.tag, i);
      return make("td", { class: kind }, make("span", { "aria-hidden": "true", text: MARKS[kind] }), make("span", { class: "hidden", text: WORDS[kind] }));
    })));
    const table = make("table", { class: "mini" }, make("thead", {}, head), make("tbody", {}, ...lines));
    return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Who is right in which language" }, table);
  }

  function answers(i, l, rows, options) {
    const grid = make("div", { class: "answers" });
    for (const r of rows) {
      const chosen = code(r, l.tag, i), kind = verdict(r, l.tag, i);
      if (kind === "none") continue;
      const reply = set.replies[r][l.tag] ? set.replies[r][l.tag][i] : null;
      const letter = chosen < 0 || set.open ? "" : ", " + String.fromCharCode(65 + chosen);
      grid.append(make("bdi", { class: "who", text: set.rows[r] }), make("span", { class: kind, text: MARKS[kind] + " " + WORDS[kind] + letter }),
        written("div", "said", l, reply === null ? "" : reply));
    }
    return grid;
  }

  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("input", event => {
    if (event.target.name === "set") { set = data.sets[Number(event.target.value)]; build(); }
    filter();
  });
  before.addEventListener("click", () => { at = Math.max(0, at - PAGE); draw(); });
  after.addEventListener("click", () => { at += PAGE; draw(); box.scrollIntoView(); });
  unpack().then(read => {
    data = read;
    if (!data.sets.length) { found.textContent = "No questions to show."; return; }
    set = data.sets[0];
    build();
    filter();
    root.dataset.ready = "1";
  }).catch(error => { found.textContent = "This browser cannot unpack the questions (" + error.message + "); clika answers shows them."; });
})();
