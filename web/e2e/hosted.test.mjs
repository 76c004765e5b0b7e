// A person pays in the provider's form on the page (Stripe) or on its own page (PayPal), in headless Chromium. The providers
// are stand-ins, put in the place of their addresses; the server is the development fake.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { startFake } from "./fake.mjs";

const SHOTS = process.env.COMANDA_SHOTS ?? fileURLToPath(new URL("../shots", import.meta.url));
const SIZES = [{ width: 1280, height: 800 }, { width: 390, height: 844 }];
const SCRIPT = "https://js.stripe.com/v3/";
// As the server sends it: what every page may do, and what Stripe's form needs.
const PAGE = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const STRIPE = `${PAGE}; script-src 'self' https://js.stripe.com https://*.js.stripe.com; frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com; connect-src 'self' https://api.stripe.com`;

// What Stripe.js does, as far as the page sees it: a frame of Stripe's with a field, and a confirmation that Stripe judges.
const STAND_IN = `
window.Stripe = (key) => ({
  elements: (options) => ({
    options,
    create: () => {
      const frame = document.createElement("iframe");
      const heard = {};
      frame.title = "Secure payment input frame";
      frame.src = "https://js.stripe.com/v3/elements-inner-payment.html#" + key + "/" + options.locale;
      frame.width = "100%";
      frame.height = "120";
      frame.onload = () => heard.ready?.();
      return { on: (event, handler) => { heard[event] = handler; }, mount: (where) => where.append(frame), destroy: () => frame.remove() };
    },
  }),
  confirmPayment: async ({ elements, confirmParams }) => {
    const body = JSON.stringify({ key, secret: elements.options.clientSecret, back: confirmParams.return_url });
    const answer = await fetch("https://api.stripe.com/v1/confirm", { method: "POST", body });
    return answer.json();
  },
});`;
const FRAME = `<!doctype html><meta charset=utf-8><title>Stripe</title><p style="font:16px sans-serif">Card number <input value="4242 4242 4242 4242" aria-label="Card number"></p>`;

let browser;

before(async () => {
  await mkdir(SHOTS, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
});

after(() => browser?.close());

/** A visitor whose browser finds nobody but us outside. */
async function visitor(locale, viewport) {
  const context = await browser.newContext({ locale, viewport, reducedMotion: "reduce" });
  context.setDefaultTimeout(20_000);
  const complaints = [];
  context.on("weberror", (error) => complaints.push(error.error().message));
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await context.route((url) => url.hostname !== "127.0.0.1", (route) => route.abort());
  return { context, page: await context.newPage(), complaints };
}

async function placeHosted(page, fake) {
  const plain = fake.products.find((product) => product.stock.available > 3 && !product.options && !product.extras);
  await page.goto(fake.url);
  await page.locator(`[data-sku="${plain.sku}"] button`).click();
  await page.goto(`${fake.url}/cart`);
  await page.locator('input[name="who"][value="anonymous"]').check({ force: true });
  await page.locator('input[value="hosted"]').waitFor();
  assert.equal(await page.locator('input[autocomplete="cc-number"]').count(), 0, "card numbers are not for this page");
}

const shot = (page, name) => page.screenshot({ path: join(SHOTS, `${name}-${page.viewportSize().width}.png`), fullPage: true });

async function sound(page, what) {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(content <= screen, `${what}: ${content} px wide on a screen of ${screen}`);
  const { violations } = await page.evaluate(`${axe.source}; axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], iframes: false })`);
  assert.deepEqual(violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes.map((node) => node.target).join("; ")}`), []);
}

for (const [at, viewport] of SIZES.entries()) {
  const locale = ["en-US", "pt-BR"][at];

  test(`a card goes into Stripe's form, ${locale} on ${viewport.width} px`, async () => {
    const confirmations = [];
    const fake = await startFake({
      policy: STRIPE,
      checkout: { provider: "stripe", types: ["token", "pix", "hosted"], form: { script: SCRIPT, publishableKey: "pk_test_page" } },
      hosted: (order) => ({ method: "card", clientSecret: `pi_1_secret_${order.orderId}` }),
    });
    const { context, page, complaints } = await visitor(locale, viewport);
    await context.route("https://js.stripe.com/**", (route) =>
      route.request().url() === SCRIPT
        ? route.fulfill({ contentType: "text/javascript", body: STAND_IN })
        : route.fulfill({ contentType: "text/html", body: FRAME }),
    );
    await context.route("https://api.stripe.com/**", (route) => {
      const sent = JSON.parse(route.request().postData());
      confirmations.push(sent);
      const declined = confirmations.length === 1;
      if (!declined) fake.settle(sent.secret.split("_secret_")[1]);
      const body = declined ? { error: { message: "Your card was declined." } } : {};
      return route.fulfill({ contentType: "application/json", headers: { "Access-Control-Allow-Origin": "*" }, body: JSON.stringify(body) });
    });
    try {
      await placeHosted(page, fake);
      await shot(page, "stripe-checkout");
      await page.locator("form button[type=submit]").click();
      const pay = page.locator('form[aria-label] button[type="submit"]');
      await page.locator('div[data-stage="ready"] iframe').waitFor();
      const source = await page.locator("iframe").getAttribute("src");
      assert.ok(source.endsWith(`#pk_test_page/${at === 0 ? "en" : "pt-BR"}`), source);
      await shot(page, "stripe-form");
      await sound(page, "the form");
      // Declined: Stripe's words are shown, and another card can follow in the same form.
      await pay.click();
      await page.getByText("Your card was declined.").waitFor();
      await shot(page, "stripe-declined");
      await pay.click();
      await page.locator('[data-payment="CONFIRMED"]').waitFor();
      assert.equal(await page.locator("iframe").count(), 0);
      assert.equal(confirmations.length, 2);
      assert.ok(confirmations.every(({ key, back }) => key === "pk_test_page" && back.startsWith(`${fake.url}/orders/`)));
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
      fake.stop();
    }
  });

  test(`an order is approved on PayPal's page, ${locale} on ${viewport.width} px`, async () => {
    const fake = await startFake({
      policy: PAGE,
      checkout: { provider: "paypal", types: ["hosted"] },
      hosted: (order) => ({ method: "paypal", actionUrl: `https://www.paypal.com/checkoutnow?token=${order.orderId}` }),
    });
    const { context, page, complaints } = await visitor(locale, viewport);
    let visits = 0;
    await context.route("https://www.paypal.com/**", (route) => {
      visits += 1;
      const order = new URL(route.request().url()).searchParams.get("token");
      const { secret } = fake.orders.get(order);
      const back = `${fake.url}/orders/${order}?t=${secret}`;
      const approved = visits > 1;
      if (approved) fake.settle(order);
      const to = approved ? `${back}&token=EC-1&PayerID=P1` : back;
      return route.fulfill({ contentType: "text/html", body: `<!doctype html><title>PayPal</title><a href="${to.replaceAll("&", "&amp;")}">back</a>` });
    });
    try {
      await placeHosted(page, fake);
      await shot(page, "paypal-checkout");
      await page.locator("form button[type=submit]").click();
      // The visitor is taken there, and comes back without having approved.
      await page.waitForURL("https://www.paypal.com/**");
      await page.getByRole("link", { name: "back" }).click();
      const link = page.locator('a[href^="https://www.paypal.com/checkoutnow"]');
      await link.waitFor();
      await shot(page, "paypal-open");
      await sound(page, "the order that waits");
      assert.equal(visits, 1, "nobody is taken there a second time unasked");
      await link.click();
      await page.getByRole("link", { name: "back" }).click();
      await page.locator('[data-payment="CONFIRMED"]').waitFor();
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
      fake.stop();
    }
  });
}
