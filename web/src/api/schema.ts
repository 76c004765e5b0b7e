export interface components {
  schemas: {
    Category: "snack" | "side" | "drink" | "dessert";
    Choice: { code: string; name: string; price?: number };
    ProductOption: { code: string; name: string; required?: boolean; choices: components["schemas"]["Choice"][] };
    Extra: { code: string; name: string; price?: number };
    Product: {
      sku: string;
      name: string;
      description?: string;
      category: components["schemas"]["Category"];
      price: number;
      options?: components["schemas"]["ProductOption"][];
      extras?: components["schemas"]["Extra"][];
      active?: boolean;
    };
    StockView: { onHand: number; reserved: number; available: number };
    ProductView: components["schemas"]["Product"] & { revision: number; stock: components["schemas"]["StockView"] };
    CatalogueView: {
      currency: string;
      merchant: string;
      deliveryFee: number;
      products: components["schemas"]["ProductView"][];
    };
    Address: {
      street: string;
      number: string;
      complement?: string | null;
      district?: string | null;
      city: string;
      state?: string | null;
      postalCode?: string | null;
    };
    PaymentMethod:
      | { type: "card"; number: string; expMonth: number; expYear: number; cvc: string }
      | { type: "token"; token: string }
      | { type: "pix" };
    DeliveryRequest: { type: "pickup" } | { type: "courier"; address: components["schemas"]["Address"] };
    Locale: "pt-BR" | "en";
    Customer: {
      name?: string | null;
      email?: string | null;
      cpf?: string | null;
      locale?: components["schemas"]["Locale"];
    };
    LineRequest: {
      sku: string;
      quantity: number;
      options?: Record<string, string>;
      extras?: string[];
      note?: string;
    };
    PlaceOrder: {
      customer?: components["schemas"]["Customer"] | null;
      lines: components["schemas"]["LineRequest"][];
      payment: components["schemas"]["PaymentMethod"];
      delivery?: components["schemas"]["DeliveryRequest"];
      tip?: number;
      note?: string;
      expectedTotal?: number | null;
    };
    PlacedOrder: {
      orderId: string;
      number: number;
      status: components["schemas"]["OrderStatus"];
      total: number;
      currency: string;
      trackingUrl: string;
      trackingToken: string;
      expiresAt: string;
    };
    OrderStatus:
      | "CHECKOUT"
      | "PAYMENT_PENDING"
      | "RECEIVED"
      | "IN_PREPARATION"
      | "READY"
      | "OUT_FOR_DELIVERY"
      | "COMPLETED"
      | "REJECTED"
      | "CANCELLED"
      | "EXPIRED";
    PaymentStatus: "PENDING" | "AUTHORIZED" | "CONFIRMED" | "REJECTED" | "VOIDED" | "REFUNDED" | "EXPIRED";
    DeliveryKind: "pickup" | "courier";
    DeliveryStatus: "WAITING" | "REQUESTED" | "PICKED_UP" | "DELIVERED";
    Action: "pay" | "cancel" | "start" | "ready" | "handover";
    Chosen: { option: string; code: string; name: string; price: number };
    Added: { code: string; name: string; price: number };
    Line: {
      sku: string;
      name: string;
      quantity: number;
      unitPrice: number;
      options?: components["schemas"]["Chosen"][];
      extras?: components["schemas"]["Added"][];
      total: number;
      note?: string;
    };
    Failure: { code: string; message: string };
    PaymentView: {
      paymentId: string;
      status: components["schemas"]["PaymentStatus"];
      method: string;
      card?: string | null;
      attempts: number;
      amount: number;
      captured: number;
      refunded: number;
      currency: string;
      failure?: components["schemas"]["Failure"] | null;
      qr?: string | null;
      actionUrl?: string | null;
      expiresAt: string;
    };
    DeliveryView: {
      type: components["schemas"]["DeliveryKind"];
      status: components["schemas"]["DeliveryStatus"];
      deliveryId?: string | null;
      address?: components["schemas"]["Address"] | null;
      courier?: string | null;
    };
    ReceiptSummary: { number: number; issuedAt: string; sha256: string };
    TimelineEntry: { at: string; status: components["schemas"]["OrderStatus"]; detail?: string | null };
    OrderView: {
      orderId: string;
      number: number;
      status: components["schemas"]["OrderStatus"];
      revision: number;
      placedAt: string;
      updatedAt: string;
      customer?: components["schemas"]["Customer"] | null;
      lines: components["schemas"]["Line"][];
      note?: string;
      subtotal: number;
      deliveryFee: number;
      tip: number;
      total: number;
      currency: string;
      payment: components["schemas"]["PaymentView"];
      delivery: components["schemas"]["DeliveryView"];
      receipt?: components["schemas"]["ReceiptSummary"] | null;
      timeline: components["schemas"]["TimelineEntry"][];
      executionId: string;
      actions: components["schemas"]["Action"][];
      needsAttention?: string | null;
      cancelReason?: string | null;
    };
    ReceiptLink: { number: number; url: string; expiresAt: string; sha256: string };
    KitchenOrder: {
      orderId: string;
      number: number;
      status: components["schemas"]["OrderStatus"];
      revision: number;
      placedAt: string;
      customerName?: string | null;
      lines: components["schemas"]["Line"][];
      note?: string;
      delivery: components["schemas"]["DeliveryKind"];
      actions: components["schemas"]["Action"][];
    };
    KitchenList: { items: components["schemas"]["KitchenOrder"][] };
    MailView: {
      mailId: string;
      orderId: string;
      event: string;
      to: string;
      at: string;
      locale: components["schemas"]["Locale"];
      status: string;
      subject: string;
      text?: string;
      html?: string;
    };
    MailPage: { items: components["schemas"]["MailView"][]; next?: string | null };
    Problem: {
      type: string;
      title: string;
      status: number;
      code: string;
      detail: string;
      pointer?: string | null;
    };
  };
}
