//! The document of a credit note, on the same sheet as receipts.

use domain::Money;
use domain::money::Locale;
use domain::receipt::CreditNote;
use domain::refund::RefundReason;

use super::metrics::Weight;
use super::pdf::{ACCENT, INK, MARGIN, SOFT, Sheet, item, paid_by, write};

/// The words of the document.
struct Words {
    title: &'static str,
    order: &'static str,
    receipt: &'static str,
    date: &'static str,
    reason: &'static str,
    total: &'static str,
    back: &'static str,
    card: &'static str,
    days: &'static str,
    fiscal: &'static str,
}

fn words(locale: Locale) -> Words {
    match locale {
        Locale::English => Words {
            title: "Credit note",
            order: "Order",
            receipt: "Receipt",
            date: "Date",
            reason: "Reason",
            total: "Refunded",
            back: "Goes back to",
            card: "card",
            days: "It can take some days until your bank shows it.",
            fiscal: "This credit note is not a tax invoice.",
        },
        Locale::Portuguese => Words {
            title: "Nota de crédito",
            order: "Pedido",
            receipt: "Recibo",
            date: "Data",
            reason: "Motivo",
            total: "Reembolsado",
            back: "Volta para",
            card: "cartão",
            days: "Pode levar alguns dias até o banco mostrar.",
            fiscal: "Esta nota de crédito não é documento fiscal.",
        },
    }
}

/// A reason in the customer's language.
pub(crate) fn reason_words(reason: RefundReason, locale: Locale) -> &'static str {
    let (english, portuguese) = match reason {
        RefundReason::RequestedByCustomer => ("requested by the customer", "a pedido do cliente"),
        RefundReason::ItemMissing => ("an item was missing", "faltou um item"),
        RefundReason::WrongItem => ("a wrong item", "item errado"),
        RefundReason::Quality => ("quality", "qualidade"),
        RefundReason::LateDelivery => ("late delivery", "entrega atrasada"),
        RefundReason::Duplicate => ("paid twice", "pago em duplicidade"),
        RefundReason::Fraudulent => ("payment not authorised", "pagamento não autorizado"),
        RefundReason::OutOfStock => ("out of stock", "fora de estoque"),
        RefundReason::OrderCancelled => ("order cancelled", "pedido cancelado"),
        RefundReason::OrderRejected => ("order not accepted", "pedido não aceito"),
        RefundReason::LatePayment => ("paid after the deadline", "pago fora do prazo"),
        RefundReason::Other => ("other", "outro"),
    };
    match locale {
        Locale::English => english,
        Locale::Portuguese => portuguese,
    }
}

/// The document of a credit note.
pub(super) fn render(note: &CreditNote) -> Vec<u8> {
    let words = words(note.locale);
    let mut sheet = Sheet::new();
    sheet.head(&note.merchant, words.title, note.number);
    let receipt = note.receipt.map(|number| (words.receipt, format!("{number:06}")));
    let facts = [
        Some((words.order, note.order_number.to_string())),
        receipt,
        Some((words.date, note.issued_at.clone())),
        Some((words.reason, reason_words(note.reason, note.locale).to_owned())),
    ];
    for (label, value) in facts.into_iter().flatten() {
        sheet.y += 16.0;
        sheet.fact(label, &value);
    }
    sheet.y += 14.0;
    sheet.rule();
    sheet.y += 4.0;
    for line in &note.lines {
        item(&mut sheet, line, note.locale);
    }
    if !note.lines.is_empty() {
        sheet.y += 14.0;
        sheet.rule();
        sheet.y += 4.0;
    }
    sheet.y += 22.0;
    sheet.left(MARGIN, 14.0, Weight::Bold, INK, words.total);
    sheet.right(14.0, Weight::Bold, INK, &Money::new(note.amount, note.currency).display(note.locale));
    if let Some(method) = &note.method {
        sheet.y += 17.0;
        sheet.fact(words.back, &paid_by(method, words.card));
    }
    sheet.y += 16.0;
    sheet.rule();
    sheet.y += 20.0;
    sheet.centre(9.0, Weight::Bold, ACCENT, words.days);
    sheet.y += 14.0;
    sheet.centre(7.0, Weight::Regular, SOFT, words.fiscal);
    sheet.y += 10.0;
    sheet.centre(7.0, Weight::Regular, SOFT, &note.refund_id);
    sheet.y += 24.0;
    let title = format!("{} {:06} - {}", words.title, note.number, note.merchant.name);
    write(&sheet, &title, note.locale)
}

#[cfg(test)]
mod tests {
    use domain::Currency;
    use domain::receipt::{Merchant, Method};

    use super::super::pdf::TEMPLATE;
    use super::*;

    #[test]
    fn the_same_credit_note_makes_the_same_bytes() {
        let note = |locale| CreditNote {
            number: 7,
            receipt: Some(1042),
            order_number: 311,
            refund_id: "rfd_0h4k2m9p7q3rs-1".into(),
            merchant: Merchant {
                name: "Lancheria Comanda".into(),
                tax_id: "CNPJ 12.345.678/0001-95".into(),
                address: "Rua da Praia, 100, Centro, Porto Alegre, RS".into(),
            },
            issued_at: "20/11/2026 09:12".into(),
            reason: RefundReason::ItemMissing,
            lines: Vec::new(),
            amount: 690,
            currency: Currency::BRL,
            method: Some(Method::Pix),
            locale,
        };
        let bytes = render(&note(Locale::Portuguese));
        assert!(bytes.starts_with(b"%PDF-"));
        assert_eq!(bytes, render(&note(Locale::Portuguese)));
        assert_ne!(bytes, render(&note(Locale::English)));
        let hash = crate::signature::hex(&<sha2::Sha256 as sha2::Digest>::digest(&bytes));
        assert_eq!(
            (TEMPLATE, hash.as_str()),
            (1, "66a3d52a9e74aff8560209f9f7c79ca4eb31100fe03dda4c38378fedd50068e1"),
            "other bytes are another template"
        );
        if let Ok(folder) = std::env::var("COMANDA_PDF_OUT") {
            std::fs::write(format!("{folder}/note-pt.pdf"), &bytes).unwrap();
        }
    }
}
