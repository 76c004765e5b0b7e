// A person orders lunch in headless Chromium, and the kitchen cooks it.
// COMANDA_URL names the server (the development fake without it), CHROMIUM the browser, COMANDA_SHOTS a folder for pictures.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { startFake } from "./fake.mjs";

const SHOTS = process.env.COMANDA_SHOTS ?? fileURLToPath(new URL("../shots", import.meta.url));
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const NARROW = { width: 360, height: 740 };
const PATIENCE_MS = 45_000;

let fake;
let base;
let browser;

before(async () => {
  fake = process.env.COMANDA_URL ? undefined : await startFake();
  base = (process.env.COMANDA_URL ?? fake.url).replace(/\/$/, "");
  await mkdir(SHOTS, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic"],
  });
});

after(async () => {
  await browser?.close();
  fake?.stop();
});

/** A fresh visitor. What the console says against the page fails the test, but for refusals that the test provokes. */
async function visitor({ locale = "en-US", colorScheme = "light", viewport = DESKTOP } = {}) {
  const context = await browser.newContext({ locale, colorScheme, viewport, reducedMotion: "reduce", timezoneId: "America/Sao_Paulo" });
  context.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  context.on("weberror", (error) => complaints.push(error.error().message));
  context.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
  });
  const page = await context.newPage();
  const leave = async () => {
    assert.deepEqual(complaints, []);
    await context.close();
  };
  return { context, page, leave };
}

const shot = (page, name) => page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
const get = async (path) => (await fetch(`${base}${path}`)).json();
const status = (page, name) => page.locator(`h1[data-status="${name}"]`).waitFor();
const orderId = (page) => new URL(page.url()).pathname.split("/").at(-1);

async function audit(page, what) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
  const found = violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ""}`).join("; ")}`);
  assert.deepEqual(found, []);
}

async function fits(page, what) {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(content <= screen, `${what}: ${content} px wide on a screen of ${screen}`);
}

/** Products to order: one with choices, one without. */
async function lunch() {
  const { products } = await get("/v1/catalogue");
  const there = products.filter(({ stock, active }) => stock.available > 3 && active !== false);
  const chosen = (product) => (product.options ?? []).length + (product.extras ?? []).length > 0;
  return { made: there.find(chosen), plain: there.find((product) => !chosen(product)) };
}

async function fillCart(page) {
  const { made, plain } = await lunch();
  await page.goto(base);
  if (plain) await page.locator(`[data-sku="${plain.sku}"] button`).click();
  if (made) {
    await page.locator(`[data-sku="${made.sku}"] button`).click();
    const dialog = page.getByRole("dialog");
    const extras = dialog.getByRole("checkbox");
    if ((await extras.count()) > 0) await extras.first().check();
    await dialog.getByRole("textbox").fill("Well done, and cut in two");
    await shot(page, `choose-${page.viewportSize().width}`);
    await dialog.getByRole("button").last().click();
  }
}

/** Orders lunch with the test card of that place in the list; by Pix without one. */
async function order(page, { card, courier = false, name = "Ana Souza", email = "ana@example.com" }) {
  await fillCart(page);
  await shot(page, `shop-${page.viewportSize().width}`);
  await page.goto(`${base}/cart`);
  if (name) {
    await page.locator('input[autocomplete="name"]').fill(name);
    await page.locator('input[autocomplete="email"]').fill(email);
  } else {
    await page.locator('input[value="anonymous"]').check();
  }
  if (courier) {
    await page.locator('input[value="courier"]').check();
    for (const [field, value] of Object.entries({ "address-line1": "Rua das Laranjeiras", "address-line2": "Fundos", "address-level3": "Centro", "address-level2": "São Paulo", "postal-code": "01310100" })) {
      await page.locator(`input[autocomplete="${field}"]`).fill(value);
    }
    await page.getByLabel(/^(Number|Número)$/).fill("1200");
    await page.locator("select").selectOption("SP");
  }
  if (card === undefined) await page.locator('input[value="pix"]').check();
  else await page.locator("aside ul button").nth(card).click();
  await shot(page, `checkout-${page.viewportSize().width}`);
  await page.locator('button[type="submit"]').dblclick();
  await page.waitForURL(/\/orders\//);
}

async function cook(kitchen, id, step) {
  await kitchen.locator(`[data-order="${id}"] button`, { hasText: step }).click();
}

test("lunch is ordered once, cooked and handed over", async () => {
  const { context, page, leave } = await visitor();
  await page.goto(base);
  await page.locator("[data-sku]").first().waitFor();
  const placedBefore = (await get("/v1/orders")).items.length;
  await order(page, { card: 0 });
  await status(page, "RECEIVED");
  assert.equal((await get("/v1/orders")).items.length, placedBefore + 1, "a double click places one order");
  await shot(page, "tracking-received-1280");

  const kitchen = await context.newPage();
  await kitchen.goto(`${base}/kitchen`);
  const id = orderId(page);
  await cook(kitchen, id, "Start");
  await status(page, "IN_PREPARATION");
  await kitchen.locator(`[data-order="${id}"] button`, { hasText: "Ready" }).waitFor();
  await shot(kitchen, "kitchen-1280");
  await cook(kitchen, id, "Ready");
  await status(page, "READY");
  await cook(kitchen, id, "Hand over");
  await status(page, "COMPLETED");

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: /PDF/ }).click();
  assert.match((await download).suggestedFilename(), /\.pdf$/);
  await shot(page, "tracking-completed-1280");
  await page.setViewportSize(PHONE);
  await shot(page, "tracking-completed-390");

  await page.goto(base);
  await page.getByRole("link", { name: /^Order/ }).first().click();
  await status(page, "COMPLETED");
  await leave();
});

test("a refused card is replaced by another one, in Portuguese on a dark phone", async () => {
  const { context, page, leave } = await visitor({ locale: "pt-BR", colorScheme: "dark", viewport: PHONE });
  await order(page, { card: 1, courier: true });
  await page.locator('[data-payment="REJECTED"]').waitFor();
  await page.getByText("O banco recusou o cartão.").waitFor();
  await shot(page, "tracking-refused-390");
  await page.locator("aside ul button").first().click();
  await page.locator('button[type="submit"]').click();
  await status(page, "RECEIVED");

  const kitchen = await context.newPage();
  await kitchen.goto(`${base}/kitchen`);
  await cook(kitchen, orderId(page), "Começar");
  await cook(kitchen, orderId(page), "Pronto");
  await shot(kitchen, "kitchen-390");
  await status(page, "COMPLETED");
  await shot(page, "tracking-delivered-390");
  await leave();
});

test("an anonymous order by Pix shows its code and can be cancelled", async () => {
  const { page, leave } = await visitor();
  await order(page, { name: "" });
  await page.getByRole("img", { name: "Pix QR code" }).waitFor();
  await shot(page, "tracking-pix-1280");
  await page.getByRole("button", { name: "Cancel the order" }).click();
  await shot(page, "cancel-1280");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel the order" }).click();
  await status(page, "CANCELLED");
  await shot(page, "tracking-cancelled-1280");
  await leave();
});

test("a card that needs authentication says where", async () => {
  const { page, leave } = await visitor();
  await order(page, { card: 3 });
  await page.getByRole("link", { name: "Authenticate the payment at the bank" }).waitFor();
  await shot(page, "tracking-authenticate-1280");
  await leave();
});

test("a conflict in the kitchen is told kindly", async () => {
  const { context, page, leave } = await visitor();
  await order(page, { card: 0 });
  await status(page, "RECEIVED");
  const kitchen = await context.newPage();
  await kitchen.route("**/start", (route) => route.continue({ headers: { ...route.request().headers(), "if-match": '"0"' } }));
  await kitchen.goto(`${base}/kitchen`);
  await cook(kitchen, orderId(page), "Start");
  await kitchen.getByText("has just been changed by someone else").waitFor();
  await shot(kitchen, "kitchen-conflict-1280");
  await leave();
});

test("mails are kept and can be read", async () => {
  const email = `bia.${Date.now()}@example.com`;
  const { page, leave } = await visitor();
  await order(page, { card: 0, name: "Bia", email });
  await status(page, "RECEIVED");
  await page.goto(`${base}/mailbox`);
  await page.getByRole("searchbox").fill(email);
  await page.locator("nav li a").first().click();
  await page.locator("article h2").waitFor();
  await shot(page, "mailbox-1280");
  await page.setViewportSize(PHONE);
  await shot(page, "mailbox-390");
  await leave();
});

test("prices that changed are shown before they are paid", async () => {
  const { page, leave } = await visitor();
  await page.route("**/place-order", (route) =>
    route.fulfill({ status: 409, contentType: "application/problem+json", body: '{"type":"/problems#price-changed","title":"Changed","status":409,"code":"price-changed","detail":"the total is now `2790`"}' }),
  );
  await fillCart(page);
  await page.goto(`${base}/cart`);
  await page.locator('button[type="submit"]').click();
  assert.equal(await page.locator("[aria-invalid]").count(), 5, "name, e-mail and three of the card");
  await shot(page, "checkout-invalid-1280");
  await page.locator('input[value="anonymous"]').check();
  await page.locator('input[value="pix"]').check();
  await page.locator('button[type="submit"]').click();
  await page.getByText("The total is now '2790'.").waitFor();
  await shot(page, "checkout-refused-1280");
  await leave();
});

test("without an answer the same order is sent again with the same key", async () => {
  const { page, leave } = await visitor();
  const keys = [];
  let silent = true;
  await page.route("**/place-order", async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    if (!silent) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await fillCart(page);
  await page.goto(`${base}/cart`);
  await page.locator('input[value="anonymous"]').check();
  await page.locator('input[value="pix"]').check();
  const placedBefore = (await get("/v1/orders")).items.length;
  await page.locator('button[type="submit"]').click();
  await page.getByText("No answer came").waitFor();
  await shot(page, "checkout-silent-1280");
  silent = false;
  await page.locator('button[type="submit"]').click();
  await page.waitForURL(/\/orders\//);
  assert.equal(new Set(keys).size, 1);
  assert.equal((await get("/v1/orders")).items.length, placedBefore + 1);
  await leave();
});

test("the keyboard is enough to choose", async () => {
  const { made } = await lunch();
  const { page, leave } = await visitor();
  await page.goto(base);
  const opener = page.locator(`[data-sku="${made.sku}"] button`);
  await opener.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.ok(await opener.evaluate((button) => button === document.activeElement), "focus returns to the button");
  await leave();
});

test("a server that cannot be reached is said, and the page recovers", async () => {
  const { page, leave } = await visitor();
  await page.route("**/v1/**", (route) => route.abort());
  await page.goto(base);
  await page.getByText("The counter does not answer").waitFor();
  await shot(page, "offline-1280");
  await page.unroute("**/v1/**");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator("[data-sku]").first().waitFor();
  await page.goto(`${base}/orders/ord_0000000000000?t=none`);
  await page.getByText("No such order here").waitFor();
  await shot(page, "missing-1280");
  await leave();
});

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE, narrow: NARROW })) {
    test(`every page is accessible and fits: ${colorScheme}, ${size}`, async () => {
      const { page, leave } = await visitor({ colorScheme, viewport, locale: size === "phone" ? "pt-BR" : "en-US" });
      await order(page, { card: 1, courier: true, name: "Maria Aparecida Albuquerque de Vasconcelos-Nascimento" });
      await page.locator('[data-payment="REJECTED"] form').waitFor();
      const tracking = page.url();
      await fillCart(page);
      for (const [name, path] of Object.entries({ shop: "/", cart: "/cart", tracking, kitchen: "/kitchen", mailbox: "/mailbox", lost: "/kitchen/none" })) {
        await page.goto(new URL(path, base).href);
        await page.locator("h1, h2").first().waitFor();
        await page.waitForLoadState("load");
        await page.locator('main [role="status"] > [aria-hidden]').first().waitFor({ state: "detached" });
        await shot(page, `${name}-${size}-${colorScheme}`);
        await audit(page, name);
        await fits(page, name);
      }
      await leave();
    });
  }
}
