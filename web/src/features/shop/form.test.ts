import { describe, expect, it } from "vitest";
import { en } from "../../ui/messages/en";
import { BLANK, check as checkForm, groupCpf, groupPostalCode, isCpf, isEmail, orderOf, type Form } from "./form";

const ana: Form = { ...BLANK, name: "Ana", email: "ana@example.com" };
const courier: Form = { ...ana, courier: true, street: "Rua A", number: "1", district: "Centro", city: "São Paulo", state: "SP", postalCode: "01000-000" };

describe("what is missing", () => {
  const check = (name: string, form: Form, wrong: string[]) => it(name, () => expect(Object.keys(checkForm(form, en))).toEqual(wrong));

  check("nothing", ana, []);
  check("name and e-mail", BLANK, ["name", "email"]);
  check("anonymous needs none", { ...BLANK, named: false }, []);
  check("an e-mail without a domain", { ...ana, email: "ana@example" }, ["email"]);
  check("a mistyped CPF", { ...ana, cpf: "529.982.247-26" }, ["cpf"]);
  check("a right CPF", { ...ana, cpf: "529.982.247-25" }, []);
  check("an address", { ...ana, courier: true }, ["street", "number", "district", "city", "state", "postalCode"]);
  check("a whole address", courier, []);
  check("half a CEP", { ...courier, postalCode: "01000" }, ["postalCode"]);
});

describe("texts", () => {
  const check = (name: string, actual: unknown, expected: unknown) => it(name, () => expect(actual).toEqual(expected));

  check("cpf of one digit", isCpf("111.111.111-11"), false);
  check("cpf while typing", groupCpf("5299"), "529.9");
  check("cpf in full", groupCpf("52998224725999"), "529.982.247-25");
  check("cep in full", groupPostalCode("01310100"), "01310-100");
  check("e-mail with a space", isEmail("a b@example.com"), false);
});

describe("the order", () => {
  const cart = [{ id: "1", sku: "burger", quantity: 1, options: {}, extras: [], note: "" }];

  it("names nobody when anonymous", () => {
    const order = orderOf({ ...ana, named: false }, cart, { type: "pix" }, { tip: 0, total: 2590 }, "en");
    expect(order.customer).toEqual({ locale: "en" });
  });

  it("carries the address only for a courier", () => {
    const money = { tip: 100, total: 3390 };
    expect(orderOf({ ...courier, courier: false }, cart, { type: "pix" }, money, "en").delivery).toEqual({ type: "pickup" });
    expect(orderOf(courier, cart, { type: "pix" }, money, "en")).toMatchObject({
      delivery: { type: "courier", address: { street: "Rua A", postalCode: "01000-000" } },
      tip: 100,
      expectedTotal: 3390,
    });
  });
});
