// A development fake: the HTTP API in memory, without a store, an engine or any guarantee.
// `npm run fake` serves it to `npm run dev`; the end-to-end test uses it when COMANDA_URL is not set.
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const FINAL = ["COMPLETED", "REJECTED", "CANCELLED", "EXPIRED"];
const PROVIDER_MS = 500;
const LATE_MS = 6_000;
const COURIER_MS = 1_500;
const PAY_WITHIN_MS = 15 * 60_000;
const DELIVERY_FEE = 700;
const KINDS = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8" };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const REFUSALS = {
  4000000000000002: ["card_declined", "the card was declined"],
  4000000000009995: ["insufficient_funds", "the card has insufficient funds"],
};
const ASKS = "4000002500003155";
const LATE = "4000000000100018";
const NEVER = "4000000000100034";

const ponto = { code: "ponto", name: "Ponto da carne", required: true, choices: [
  { code: "ao-ponto", name: "Ao ponto", price: 0 },
  { code: "mal-passado", name: "Mal passado", price: 0 },
  { code: "bem-passado", name: "Bem passado", price: 0 },
] };
const size = { code: "tamanho", name: "Tamanho", required: true, choices: [
  { code: "300ml", name: "300 ml", price: 0 },
  { code: "500ml", name: "500 ml", price: 350 },
] };
const burgerExtras = [
  { code: "bacon", name: "Bacon", price: 450 },
  { code: "ovo", name: "Ovo frito", price: 300 },
  { code: "queijo", name: "Queijo extra", price: 350 },
];

const product = (sku, name, category, price, available, description, more = {}) => ({
  sku, name, description, category, price, active: true, revision: 1, stock: { onHand: available, reserved: 0, available }, ...more,
});

function menu() {
  return [
    product("xis-salada", "X-Salada", "snack", 2590, 40, "Hambúrguer de 160 g, queijo prato, alface, tomate e maionese da casa.", { options: [ponto], extras: burgerExtras }),
    product("xis-tudo", "X-Tudo da casa com dois hambúrgueres", "snack", 3890, 12, "Dois hambúrgueres, bacon, ovo, presunto, queijo, milho e batata palha: traga fome e guardanapos.", { options: [ponto], extras: burgerExtras }),
    product("cachorro-quente", "Cachorro-quente", "snack", 1850, 25, "Salsicha artesanal, molho de tomate, mostarda e batata palha.", { extras: [{ code: "queijo", name: "Queijo ralado", price: 250 }] }),
    product("misto-quente", "Misto-quente", "snack", 1490, 30, "Presunto e queijo no pão de forma, na chapa."),
    product("pastel-carne", "Pastel de carne", "snack", 1200, 3, "Frito na hora, com recheio de carne e azeitona."),
    product("batata-frita", "Batata frita", "side", 1600, 50, "Crocante por fora, macia por dentro.", { extras: [{ code: "cheddar", name: "Cheddar e bacon", price: 600 }] }),
    product("coxinha", "Coxinhas", "side", 1350, 24, "Quatro unidades, com frango desfiado."),
    product("aneis-cebola", "Anéis de cebola", "side", 1750, 0, "Empanados e dourados."),
    product("salada-verde", "Salada verde", "side", 1420, 18, "Folhas, tomate-cereja e molho de limão."),
    product("suco-laranja", "Suco de laranja", "drink", 990, 60, "Espremido na hora.", { options: [size] }),
    product("guarana", "Guaraná", "drink", 700, 200, "Lata bem gelada."),
    product("agua", "Água mineral", "drink", 450, 99, "Com ou sem gás.", { options: [{ code: "gas", name: "Gás", required: false, choices: [{ code: "com", name: "Com gás", price: 0 }] }] }),
    product("cafe", "Café coado", "drink", 550, 99, "Passado no pano."),
    product("pudim", "Pudim de leite", "dessert", 1190, 9, "Com calda de caramelo."),
    product("brigadeiro", "Brigadeiros", "dessert", 890, 30, "Três unidades."),
    product("acai", "Açaí na tigela", "dessert", 2190, 15, "Com banana e granola.", { extras: [{ code: "leite-po", name: "Leite em pó", price: 300 }] }),
  ];
}

class Refusal extends Error {
  constructor(status, code, detail, pointer) {
    super(detail);
    Object.assign(this, { status, code, pointer });
  }
}

/** Starts the fake; port 0 picks a free one. */
export async function startFake({ port = 0, checkout = { provider: "simulator", types: ["card", "token", "pix"] }, hosted, policy = "" } = {}) {
  const products = menu();
  const orders = new Map();
  const keys = new Map();
  const mails = [];
  const followers = new Set();
  let count = 0;

  const now = () => new Date().toISOString();
  const id = (prefix) => `${prefix}_${randomBytes(8).toString("hex").slice(0, 13)}`;
  const find = (orderId) => orders.get(orderId) ?? refuse(404, "not-found", `there is no order \`${orderId}\``);
  const refuse = (...why) => {
    throw new Refusal(...why);
  };

  function view({ secret: _secret, ...order }) {
    const { status, payment, delivery } = order;
    const actions = [];
    if (status === "PAYMENT_PENDING" && payment.status === "REJECTED") actions.push("pay");
    if (status === "RECEIVED") actions.push("start");
    if (status === "IN_PREPARATION") actions.push("ready");
    if (status === "READY" && delivery.type === "pickup") actions.push("handover");
    if (["CHECKOUT", "PAYMENT_PENDING", "RECEIVED"].includes(status)) actions.push("cancel");
    return { ...order, actions };
  }

  function change(order, status, detail) {
    if (status) {
      order.status = status;
      order.timeline.push({ at: now(), status, ...(detail && { detail }) });
    }
    order.revision += 1;
    order.updatedAt = now();
    const event = { order: view(order), summary: { orderId: order.orderId, status: order.status, revision: order.revision } };
    for (const follower of followers) follower(event);
  }

  function mail(order, event, subject, text) {
    if (!order.customer?.email) return;
    mails.unshift({ mailId: id("mail"), orderId: order.orderId, event, to: order.customer.email, at: now(), locale: order.customer.locale ?? "pt-BR", status: "kept", subject, text });
  }

  function price(line, at) {
    const found = products.find(({ sku }) => sku === line.sku) ?? refuse(422, "unknown-product", `there is no product \`${line.sku}\` on the menu`, `/lines/${at}/sku`);
    const options = Object.entries(line.options ?? {}).map(([option, code]) => {
      const choice = found.options?.find((o) => o.code === option)?.choices.find((c) => c.code === code);
      return choice ? { option, ...choice } : refuse(422, "unknown-option", `\`${code}\` is no choice of \`${option}\``, `/lines/${at}/options/${option}`);
    });
    const extras = (line.extras ?? []).map((code) => found.extras?.find((e) => e.code === code) ?? refuse(422, "unknown-extra", `\`${code}\` is no extra of it`, `/lines/${at}/extras`));
    const unitPrice = [found, ...options, ...extras].reduce((sum, part) => sum + part.price, 0);
    return { sku: found.sku, name: found.name, quantity: line.quantity, unitPrice, options, extras, total: unitPrice * line.quantity, note: line.note ?? "" };
  }

  function place(body) {
    const lines = (body.lines ?? []).map(price);
    if (lines.length === 0) refuse(422, "lines-out-of-range", "an order has 1 to 50 lines", "/lines");
    const subtotal = lines.reduce((sum, line) => sum + line.total, 0);
    const deliveryFee = body.delivery?.type === "courier" ? DELIVERY_FEE : 0;
    const total = subtotal + deliveryFee + (body.tip ?? 0);
    if (body.expectedTotal !== undefined && body.expectedTotal !== total) refuse(409, "price-changed", `the total is now \`${total}\`; look at it and place the order again`, "/expectedTotal");
    count += 1;
    const order = {
      orderId: id("ord"), number: count, status: "CHECKOUT", revision: 0, placedAt: now(), updatedAt: now(),
      ...(body.customer?.name && { customer: body.customer }),
      lines, note: body.note ?? "", subtotal, deliveryFee, serviceFee: 0, tip: body.tip ?? 0, total, currency: "BRL",
      payment: { paymentId: id("pay"), status: "PENDING", method: body.payment.type, attempts: 0, amount: total, captured: 0, refunded: 0, currency: "BRL", expiresAt: new Date(Date.now() + PAY_WITHIN_MS).toISOString() },
      delivery: { type: "pickup", status: "WAITING", ...body.delivery },
      timeline: [], executionId: id("exe"), secret: randomBytes(16).toString("hex"),
    };
    orders.set(order.orderId, order);
    change(order, "CHECKOUT");
    mail(order, "received", `Comanda: pedido ${order.number} recebido`, `Olá, ${body.customer?.name}!\n\nRecebemos o seu pedido ${order.number}.\nAssim que o pagamento entrar, a cozinha começa.\n`);
    setTimeout(() => reserve(order, body.payment), 150);
    return {
      orderId: order.orderId, number: order.number, status: order.status, total, currency: "BRL",
      trackingUrl: `/orders/${order.orderId}?t=${order.secret}`, trackingToken: order.secret, expiresAt: order.payment.expiresAt,
    };
  }

  function reserve(order, method) {
    const short = order.lines.find((line) => products.find(({ sku }) => sku === line.sku).stock.available < line.quantity);
    if (short) return change(order, "REJECTED", `${short.name}: not enough in stock`);
    for (const line of order.lines) products.find(({ sku }) => sku === line.sku).stock.available -= line.quantity;
    change(order, "PAYMENT_PENDING");
    charge(order, method);
  }

  function charge(order, method) {
    const { payment } = order;
    Object.assign(payment, { status: "PENDING", method: method.type, attempts: payment.attempts + 1, failure: undefined, qr: undefined, actionUrl: undefined, card: method.number && `visa ${method.number.slice(-4)}` });
    payment.clientSecret = undefined;
    if (method.type === "hosted") {
      Object.assign(payment, hosted(order));
      change(order);
    } else if (method.type === "pix") {
      payment.qr = `00020126580014br.gov.bcb.pix0136${randomBytes(16).toString("hex")}5204000053039865406${order.total}5802BR5907COMANDA6009SAO PAULO62140510${order.orderId.slice(-10)}6304ABCD`;
      change(order);
      setTimeout(() => settle(order), LATE_MS);
    } else if (REFUSALS[method.number]) {
      const [code, message] = REFUSALS[method.number];
      setTimeout(() => {
        Object.assign(payment, { status: "REJECTED", failure: { code, message } });
        change(order);
        mail(order, "payment-refused", `Comanda: pagamento do pedido ${order.number} recusado`, `O pagamento foi recusado. Pague de novo pela página do pedido: http://127.0.0.1/orders/${order.orderId}?t=${order.secret}\n`);
      }, PROVIDER_MS);
    } else if (method.number === ASKS) {
      payment.actionUrl = `/v1/simulator/intents/${order.orderId}`;
      change(order);
    } else if (method.number !== NEVER) {
      setTimeout(() => settle(order), method.number === LATE ? LATE_MS : PROVIDER_MS);
    }
  }

  function settle(order) {
    if (order.status !== "PAYMENT_PENDING") return;
    Object.assign(order.payment, { status: "CONFIRMED", captured: order.total, qr: undefined, actionUrl: undefined, clientSecret: undefined });
    change(order, "RECEIVED");
    mail(order, "payment-confirmed", `Comanda: pedido ${order.number} confirmado`, `O pagamento entrou e a cozinha já sabe.\n\n${order.lines.map((line) => `${line.quantity} x ${line.name}`).join("\n")}\n`);
  }

  function cancel(order, reason) {
    if (FINAL.includes(order.status)) refuse(409, "not-cancellable", `an order that is \`${order.status}\` cannot be cancelled`);
    order.cancelReason = reason;
    order.payment.status = order.payment.status === "CONFIRMED" ? "REFUNDED" : "VOIDED";
    change(order, "CANCELLED", reason);
  }

  const steps = {
    start: ["RECEIVED", (order) => change(order, "IN_PREPARATION")],
    ready: ["IN_PREPARATION", (order) => {
      change(order, "READY");
      mail(order, "ready", `Comanda: pedido ${order.number} pronto`, "Está pronto. Bom apetite!\n");
      if (order.delivery.type === "courier") setTimeout(() => collect(order), COURIER_MS);
    }],
    handover: ["READY", complete],
  };

  function collect(order) {
    Object.assign(order.delivery, { status: "PICKED_UP", courier: "Rita" });
    change(order, "OUT_FOR_DELIVERY");
    setTimeout(() => complete(order), COURIER_MS);
  }

  function complete(order) {
    order.delivery.status = "DELIVERED";
    change(order, "COMPLETED");
    order.receipt = { number: order.number, issuedAt: now(), sha256: "0".repeat(64) };
    change(order);
  }

  function checkRevision(order, request) {
    const tag = request.headers["if-match"] ?? refuse(428, "revision-required", "send the revision you have seen: `If-Match: \"7\"`");
    if (tag.replaceAll('"', "") !== String(order.revision)) refuse(412, "stale-revision", "the order changed since it was read");
  }

  function onceByKey(key, body, act) {
    if (!key) return act();
    const digest = createHash("sha256").update(JSON.stringify(body)).digest("hex");
    const known = keys.get(key);
    if (known && known.digest !== digest) refuse(422, "idempotency-key-reused", "this idempotency key was used for another request");
    if (known) return known.answer;
    const answer = act();
    keys.set(key, { digest, answer });
    return answer;
  }

  const routes = [
    ["GET", /^\/v1\/catalogue$/, () => ({ currency: "BRL", merchant: "Lanchonete da Praça", deliveryFee: DELIVERY_FEE, serviceFeeBasisPoints: 0, maxTip: 50000, products, checkout })],
    ["POST", /^\/place-order$/, ({ body, request }) => onceByKey(request.headers["idempotency-key"], body, () => place(body)), 201],
    ["GET", /^\/v1\/orders$/, () => ({ items: [...orders.values()].reverse().map(view) })],
    ["GET", /^\/v1\/orders\/([^/]+)$/, ({ params: [order] }) => view(find(order))],
    ["POST", /^\/v1\/orders\/([^/]+)\/payments$/, ({ params: [orderId], body }) => {
      const order = find(orderId);
      if (order.payment.status !== "REJECTED") refuse(409, "not-payable", "only a refused payment can be tried again");
      charge(order, body.method);
      change(order);
      return order.payment;
    }, 202],
    ["POST", /^\/v1\/orders\/([^/]+)\/payments\/check$/, ({ params: [orderId] }) => find(orderId).payment],
    ["POST", /^\/v1\/orders\/([^/]+)\/cancel$/, ({ params: [orderId], body, request }) => {
      const order = find(orderId);
      checkRevision(order, request);
      cancel(order, body.reason);
      return view(order);
    }],
    ["GET", /^\/v1\/kitchen\/orders$/, () => ({
      items: ["READY", "IN_PREPARATION", "RECEIVED"].flatMap((status) => [...orders.values()].filter((order) => order.status === status)).map((order) => {
        const { orderId, number, status, revision, placedAt, customer, lines, note, delivery, actions } = view(order);
        return { orderId, number, status, revision, placedAt, customerName: customer?.name, lines, note, delivery: delivery.type, actions };
      }),
    })],
    ["POST", /^\/v1\/kitchen\/orders\/([^/]+)\/(start|ready|handover)$/, ({ params: [orderId, name], request }) => {
      const order = find(orderId);
      checkRevision(order, request);
      const [from, act] = steps[name];
      if (order.status !== from) refuse(409, "illegal-transition", `an order that is \`${order.status}\` cannot \`${name}\``);
      act(order);
      return view(order);
    }],
    ["GET", /^\/v1\/orders\/([^/]+)\/receipt$/, ({ params: [orderId] }) => ({ ...find(orderId).receipt, url: `/v1/receipts/${orderId}.pdf`, expiresAt: now() })],
    ["GET", /^\/v1\/payments\/([^/]+)\/refunds$/, ({ params: [orderId] }) => ({ items: [], revision: find(orderId).revision, captured: 0, refunded: 0, pending: 0, left: 0 })],
    ["GET", /^\/v1\/mailbox$/, ({ query }) => ({ items: mails.filter(({ to }) => !query.get("to") || to === query.get("to")).map(({ text: _text, ...summary }) => summary) })],
    ["GET", /^\/v1\/mailbox\/([^/]+)$/, ({ params: [mailId] }) => mails.find((one) => one.mailId === mailId) ?? refuse(404, "not-found", "there is no such mail")],
    ["GET", /^\/healthz$/, () => ({ status: "ok" })],
  ];

  function stream(request, response, orderId) {
    if (orderId !== undefined) find(orderId);
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    const send = (data) => response.write(`event: order\ndata: ${JSON.stringify(data)}\n\n`);
    const follower = ({ order, summary }) => {
      if (orderId === undefined) return send(summary);
      if (order.orderId !== orderId) return;
      send(order);
      if (!FINAL.includes(order.status)) return;
      followers.delete(follower);
      response.end();
    };
    response.write(": hello\n\n");
    if (orderId !== undefined) send(view(find(orderId)));
    followers.add(follower);
    request.on("close", () => followers.delete(follower));
  }

  async function file(path, response) {
    const known = /\.[a-z0-9]+$/.test(path);
    const name = join(DIST, normalize(known ? path : "/index.html"));
    const bytes = await readFile(name).catch(() => refuse(404, "not-found", "there is no such resource"));
    response.writeHead(200, { "Content-Type": KINDS[extname(name)] ?? "application/octet-stream", "Content-Security-Policy": policy || POLICY });
    response.end(bytes);
  }

  async function answer(request, response) {
    const url = new URL(request.url, "http://fake");
    const path = decodeURI(url.pathname);
    const events = /^\/v1(?:\/orders\/([^/]+))?\/events$/.exec(path);
    if (events) return stream(request, response, events[1]);
    const asked = /^\/v1\/simulator\/intents\/(.+)$/.exec(path);
    if (asked) {
      const order = find(asked[1]);
      settle(order);
      response.writeHead(303, { Location: `/orders/${order.orderId}?t=${order.secret}` });
      return response.end();
    }
    if (/^\/v1\/receipts\//.test(path)) {
      response.writeHead(200, { "Content-Type": "application/pdf", "Content-Disposition": 'attachment; filename="receipt.pdf"' });
      return response.end("%PDF-1.4\n%%EOF\n");
    }
    for (const [method, pattern, act, status = 200] of routes) {
      const match = request.method === method && pattern.exec(path);
      if (!match) continue;
      const body = method === "POST" ? JSON.parse((await text(request)) || "{}") : undefined;
      const result = act({ params: match.slice(1), query: url.searchParams, body, request });
      response.writeHead(status, { "Content-Type": "application/json" });
      return response.end(JSON.stringify(result));
    }
    return file(path, response);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      const status = error instanceof Refusal ? error.status : 500;
      response.writeHead(status, { "Content-Type": "application/problem+json" });
      response.end(JSON.stringify({ type: `/problems#${error.code ?? "internal"}`, title: "Refused", status, code: error.code ?? "internal", detail: error.message, pointer: error.pointer }));
    });
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    products,
    orders,
    settle: (orderId) => settle(find(orderId)),
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function text(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf("--port");
  const fake = await startFake({ port: at > 0 ? Number(process.argv[at + 1]) : 0 });
  process.stdout.write(`the development fake listens on ${fake.url}\n`);
}
