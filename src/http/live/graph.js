// Draws a topology: boxes in layers from left to right, a frame around each sub-topology, stores below the nodes that use them.
"use strict";

const graph = (() => {
  const WIDTH = 148, HEIGHT = 42, GAP_X = 76, GAP_Y = 26, STORE_GAP = 12, PAD = 18;
  const svg = (name, attributes = {}, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  // Boxes and arrows of a topology.
  const read = (shape) => {
    const boxes = new Map(), arrows = [];
    const add = (id, box) => boxes.has(id) || boxes.set(id, { id, stores: [], ...box });
    const named = new Map(shape.nodes.map((node) => [node.name, node]));
    // A source or a sink that only names its topic is drawn as that topic; where one leads straight to the other they stay.
    const isPlain = (node) => node.kind === "source" ? node.children.length > 0 && node.children.every((child) => named.get(child).kind !== "sink")
      : node.kind === "sink" && shape.nodes.every((other) => other.kind !== "source" || !other.children.includes(node.name));
    for (const node of shape.nodes) {
      for (const topic of node.topics) add("t:" + topic, { kind: "topic", label: topic, sub: null });
      if (isPlain(node)) {
        if (node.kind === "source") for (const topic of node.topics) for (const child of node.children) arrows.push({ from: "t:" + topic, to: "n:" + child, topic, reads: true });
        continue;
      }
      add("n:" + node.name, { kind: node.kind, label: node.name, sub: node.subtopology });
      for (const topic of node.topics) {
        arrows.push(node.kind === "source" ? { from: "t:" + topic, to: "n:" + node.name, topic, reads: true }
          : { from: "n:" + node.name, to: "t:" + topic, topic, reads: false });
      }
      for (const child of node.children) {
        const sink = named.get(child);
        if (sink.kind === "sink" && isPlain(sink)) sink.topics.forEach((topic) => arrows.push({ from: "n:" + node.name, to: "t:" + topic, topic, reads: false }));
        else arrows.push({ from: "n:" + node.name, to: "n:" + child });
      }
    }
    const placed = new Map(), uses = [];
    for (const node of shape.nodes) for (const store of node.stores) {
      if (!placed.has(store)) {
        const owner = boxes.get("n:" + node.name);
        const box = { kind: "store", label: store, owner };
        placed.set(store, box);
        owner.stores.push(box);
      }
      uses.push({ box: placed.get(store), node: "n:" + node.name });
    }
    return { boxes, arrows, uses, stores: placed };
  };

  // The layer of each box: one more than that of whatever leads to it. Arrows that close a circle count for nothing.
  const layers = (boxes, arrows) => {
    const next = new Map([...boxes.keys()].map((id) => [id, []]));
    arrows.forEach((arrow) => next.get(arrow.from).push(arrow));
    const state = new Map(), order = [];
    const visit = (id) => {
      state.set(id, "open");
      for (const arrow of next.get(id)) {
        const seen = state.get(arrow.to);
        arrow.back = seen === "open";
        if (!seen) visit(arrow.to);
      }
      state.set(id, "done");
      order.unshift(id);
    };
    const incoming = new Set(arrows.map((arrow) => arrow.to));
    const roots = [...boxes.keys()].filter((id) => !incoming.has(id));
    [...roots, ...boxes.keys()].forEach((id) => state.has(id) || visit(id));
    const layer = new Map(order.map((id) => [id, 0]));
    for (const id of order) for (const arrow of next.get(id)) {
      if (!arrow.back) layer.set(arrow.to, Math.max(layer.get(arrow.to), layer.get(id) + 1));
    }
    // A topic that is only read stands right before its reader.
    for (const id of [...order].reverse()) {
      const after = next.get(id).filter((arrow) => !arrow.back).map((arrow) => layer.get(arrow.to));
      if (boxes.get(id).kind === "topic" && !incoming.has(id) && after.length) layer.set(id, Math.min(...after) - 1);
    }
    for (const [id, at] of layer) boxes.get(id).layer = at;
    return order;
  };

  const heightOf = (box) => HEIGHT + box.stores.length * (HEIGHT + STORE_GAP);

  // Blocks: a sub-topology, or a topic alone. Blocks that share no layer may stand in one band.
  const arrange = ({ boxes, arrows }, order) => {
    const near = new Map([...boxes.keys()].map((id) => [id, []]));
    arrows.forEach(({ from, to }) => { near.get(from).push(to); near.get(to).push(from); });
    const blocks = new Map();
    for (const id of order) {
      const box = boxes.get(id);
      const key = box.kind === "topic" ? id : "s" + box.sub;
      if (!blocks.has(key)) blocks.set(key, { key, columns: new Map(), isTopic: box.kind === "topic" });
      const { columns } = blocks.get(key);
      if (!columns.has(box.layer)) columns.set(box.layer, []);
      columns.get(box.layer).push(box);
      box.block = blocks.get(key);
    }
    for (const block of blocks.values()) {
      const at = [...block.columns.keys()];
      [block.first, block.last] = [Math.min(...at), Math.max(...at)];
      sort(block, near, boxes);
      block.height = Math.max(...[...block.columns.values()].map(columnHeight));
    }
    const bands = [];
    const subs = [...blocks.values()].filter((block) => !block.isTopic);
    for (const block of subs.sort((a, b) => a.key.localeCompare(b.key, undefined, { numeric: true }))) {
      const fits = (band) => band.subs.every((other) => other.last + 1 < block.first || other.first > block.last + 1);
      let band = bands.find(fits);
      if (!band) bands.push(band = { subs: [], topics: new Map() });
      band.subs.push(block);
      block.band = band;
    }
    if (!bands.length) bands.push({ subs: [], topics: new Map() });
    for (const block of blocks.values()) if (block.isTopic) {
      const box = block.columns.get(block.first)[0];
      const wanted = near.get(box.id).map((id) => boxes.get(id).block.band).filter(Boolean);
      const free = (band) => band.subs.every((sub) => block.first < sub.first || block.first > sub.last);
      const band = [...wanted, ...bands].find(free) ?? bands[bands.push({ subs: [], topics: new Map() }) - 1];
      if (!band.topics.has(block.first)) band.topics.set(block.first, []);
      band.topics.get(block.first).push(box);
    }
    return bands;
  };

  // Boxes of a column in the order of their neighbours' places.
  const sort = (block, near, boxes) => {
    const place = new Map();
    const number = () => block.columns.forEach((column) => column.forEach((box, at) => place.set(box.id, at - (column.length - 1) / 2)));
    number();
    for (let sweep = 0; sweep < 4; sweep++) {
      for (const column of block.columns.values()) {
        const middle = (box) => {
          const at = near.get(box.id).filter((id) => boxes.get(id).block === block || place.has(id)).map((id) => place.get(id));
          return at.length ? at.reduce((a, b) => a + b) / at.length : 0;
        };
        const wanted = new Map(column.map((box) => [box, middle(box)]));
        column.sort((a, b) => wanted.get(a) - wanted.get(b));
      }
      number();
    }
  };

  const columnHeight = (column) => column.reduce((sum, box) => sum + heightOf(box) + GAP_Y, -GAP_Y);

  const position = (bands) => {
    let top = PAD + 12;
    for (const band of bands) {
      const columns = [...band.subs.flatMap((sub) => [...sub.columns.values()]), ...band.topics.values()];
      const height = Math.max(...columns.map(columnHeight), HEIGHT);
      // What hangs below a single box must not lift it.
      const heads = Math.max(...columns.map((column) => column.length === 1 ? HEIGHT : columnHeight(column)));
      for (const column of columns) {
        const own = column.length === 1 ? HEIGHT : columnHeight(column);
        let y = top + (heads - own) / 2;
        for (const box of column) {
          box.x = PAD + 10 + box.layer * (WIDTH + GAP_X);
          box.y = y;
          box.stores.forEach((store, at) => { store.x = box.x; store.y = box.y + (at + 1) * (HEIGHT + STORE_GAP); });
          y += heightOf(box) + GAP_Y;
        }
      }
      band.bottom = Math.max(...columns.flat().map((box) => box.y + heightOf(box)), top + height - 1);
      top = band.bottom + GAP_Y + 34;
    }
    return top - 20;
  };

  const short = (text, most) => text.length <= most ? text : text.slice(0, Math.ceil(most / 2) - 1) + "…" + text.slice(1 - Math.floor(most / 2));

  // A name that was made by counting says what it is and its number.
  const spoken = (box) => {
    const counted = box.kind !== "topic" && box.label.match(/^(?:KSTREAM|KTABLE)-(.+?)-0*(\d+)$/);
    return counted ? `${counted[1].toLowerCase().replaceAll("-", " ")} ${counted[2]}` : box.label;
  };

  const outline = (box) => {
    const { x, y } = box;
    if (box.kind === "store") {
      const e = 6;
      return svg("path", { class: "box", d: `M${x},${y + e} a${WIDTH / 2},${e} 0 0 1 ${WIDTH},0 v${HEIGHT - 2 * e} a${WIDTH / 2},${e} 0 0 1 -${WIDTH},0 z m0,0 a${WIDTH / 2},${e} 0 0 0 ${WIDTH},0` });
    }
    return svg("rect", { class: "box", x, y, width: WIDTH, height: HEIGHT, rx: box.kind === "topic" ? HEIGHT / 2 : 7 });
  };

  const draw = (canvas, shape, pickStore) => {
    const picture = read(shape);
    const bands = arrange(picture, layers(picture.boxes, picture.arrows));
    const bottom = position(bands);
    const all = [...picture.boxes.values()];
    const right = Math.max(...all.map((box) => box.x)) + WIDTH + PAD + 10;
    canvas.replaceChildren(svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0,0 L8,4 L0,8 z" }))));
    canvas.setAttribute("viewBox", `0 0 ${right} ${bottom}`);
    canvas.setAttribute("width", right);
    canvas.setAttribute("height", bottom);
    for (const band of bands) for (const sub of band.subs) frame(canvas, sub, shape);
    const marks = { topics: new Map(), stores: new Map() };
    for (const arrow of picture.arrows) edge(canvas, picture.boxes, arrow, marks);
    for (const { box, node } of picture.uses) {
      const user = picture.boxes.get(node);
      if (user !== box.owner) canvas.append(svg("path", { class: "use", d: curve(box.x + WIDTH / 2, box.y, user.x + WIDTH / 2, user.y + HEIGHT, true) }));
      else canvas.append(svg("path", { class: "use", d: `M${box.x + WIDTH / 2},${user.y + HEIGHT} V${box.y}` }));
    }
    for (const box of all) shape1(canvas, box, marks);
    for (const box of picture.stores.values()) {
      const group = shape1(canvas, box, marks);
      group.classList.add("pick");
      group.addEventListener("click", () => pickStore(box.label));
    }
    return { update: (numbers) => update(marks, numbers) };
  };

  const frame = (canvas, sub, shape) => {
    const boxes = [...sub.columns.values()].flat();
    const x = Math.min(...boxes.map((box) => box.x)) - 14, y = Math.min(...boxes.map((box) => box.y)) - 14;
    const right = Math.max(...boxes.map((box) => box.x)) + WIDTH + 14, bottom = Math.max(...boxes.map((box) => box.y + heightOf(box))) + 14;
    const id = boxes[0].sub, isGlobal = shape.subtopologies.find((known) => known.id === id)?.global;
    canvas.append(svg("rect", { class: "frame", x, y, width: right - x, height: bottom - y, rx: 12 }));
    canvas.append(svg("text", { class: "soft", x: x + 10, y: y - 5 }, `sub-topology ${id}${isGlobal ? ", global" : ""}`));
  };

  const shape1 = (canvas, box, marks) => {
    const two = box.kind === "topic" || box.kind === "store";
    const label = svg("text", { x: box.x + WIDTH / 2, y: box.y + (box.kind === "store" ? 23 : two ? 20 : 26), "text-anchor": "middle" }, short(spoken(box), 21));
    const title = svg("title", {}, `${box.kind} ${box.label}`);
    const group = svg("g", { class: box.kind }, outline(box), label, title);
    if (two) {
      const number = svg("text", { class: "soft", x: box.x + WIDTH / 2, y: box.y + 35, "text-anchor": "middle" });
      group.append(number);
      (box.kind === "topic" ? marks.topics : marks.stores).set(box.label, { ...(marks.topics.get(box.label) ?? {}), number });
    }
    canvas.append(group);
    return group;
  };

  const curve = (x1, y1, x2, y2, down) => down
    ? `M${x1},${y1} C${x1},${(y1 + y2) / 2} ${x2},${(y1 + y2) / 2} ${x2},${y2}`
    : `M${x1},${y1} C${x1 + Math.max(40, (x2 - x1) / 2)},${y1} ${x2 - Math.max(40, (x2 - x1) / 2)},${y2} ${x2},${y2}`;

  const edge = (canvas, boxes, arrow, marks) => {
    const [from, to] = [boxes.get(arrow.from), boxes.get(arrow.to)];
    const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x - 2, to.y + HEIGHT / 2];
    const high = Math.min(from.y, to.y) - 26;
    const d = arrow.back ? `M${x1},${y1} C${x1 + 60},${high} ${x2 - 60},${high} ${x2},${y2}` : curve(x1, y1, x2, y2);
    const path = svg("path", { class: "edge", d, "marker-end": "url(#tip)" });
    canvas.append(path);
    if (!arrow.topic) return;
    // Beside the topic's own end, where no other arrow's words are.
    const near = arrow.reads ? { x: x1 + GAP_X / 2 - 4, y: (arrow.back ? high + 16 : (y1 * 2 + y2) / 3) } : { x: x2 - GAP_X / 2 + 2, y: arrow.back ? high + 16 : (y1 + y2 * 2) / 3 };
    const rate = svg("text", { class: "rate", x: near.x, y: near.y - 5, "text-anchor": "middle" });
    const late = svg("text", { class: "late", x: near.x, y: near.y + 14, "text-anchor": "middle" });
    canvas.append(rate, late);
    const known = marks.topics.get(arrow.topic) ?? {};
    const side = arrow.reads ? "reads" : "writes";
    marks.topics.set(arrow.topic, { ...known, [side]: [...(known[side] ?? []), { path, rate, late }] });
  };

  // Numbers by topic and by store: rates, lag, sizes.
  const update = (marks, { topics, stores }) => {
    for (const [name, mark] of marks.topics) {
      const told = topics.get(name) ?? {};
      for (const [side, rate] of [["reads", told.read], ["writes", told.written]]) {
        for (const { path, rate: text, late } of mark[side] ?? []) {
          path.classList.toggle("flows", rate > 0);
          text.textContent = rate > 0 ? `${format.number(rate)}/s` : "";
          late.textContent = side === "reads" && told.lag > 0 ? `${format.number(told.lag)} behind` : "";
        }
      }
      if (mark.number) mark.number.textContent = told.total > 0 ? `${format.number(told.total)} records` : "";
    }
    for (const [name, { number }] of marks.stores) {
      const told = stores.get(name) ?? { memory: 0, changes: 0 };
      number.textContent = format.bytes(told.memory) + (told.changes > 0 ? ` · ${format.number(told.changes)}/s logged` : "");
    }
  };

  return { draw };
})();
