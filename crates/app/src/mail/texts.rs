//! The words of the mails, in English and Brazilian Portuguese.

use std::fmt::Write;

use domain::basket::Line;
use domain::money::{Locale, plain};
use domain::notification::Notice;
use domain::{Currency, Money};

use super::Texts;

/// What a mail is about.
pub(super) struct Facts<'a> {
    pub(super) merchant: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) number: i64,
    pub(super) lines: &'a [Line],
    pub(super) delivery_fee: i64,
    pub(super) service_fee: i64,
    pub(super) tip: i64,
    pub(super) total: i64,
    /// What this refund gave back.
    pub(super) refunded: i64,
    pub(super) currency: Currency,
    pub(super) link: Option<String>,
    pub(super) reason: Option<&'a str>,
}

/// Subject and first sentence. `#` stands for the order's number, `$` for the amount that the notice is about.
fn words(notice: Notice, locale: Locale) -> (&'static str, &'static str) {
    use Locale::{English, Portuguese};
    match (notice, locale) {
        (Notice::Received, English) => {
            ("Order # is here", "We have your order # over $ and are waiting for the payment.")
        }
        (Notice::Received, Portuguese) => {
            ("Pedido # recebido", "Recebemos seu pedido # de $ e aguardamos o pagamento.")
        }
        (Notice::PaymentConfirmed, English) => {
            ("Payment for order # confirmed", "We have your payment of $. The kitchen starts on your order # next.")
        }
        (Notice::PaymentConfirmed, Portuguese) => {
            ("Pagamento do pedido # confirmado", "Recebemos seu pagamento de $. A cozinha já vai começar o pedido #.")
        }
        (Notice::PaymentRefused, English) => (
            "Payment for order # refused",
            "The payment of $ for your order # was refused. Nothing was charged. You can try again on the order's page.",
        ),
        (Notice::PaymentRefused, Portuguese) => (
            "Pagamento do pedido # recusado",
            "O pagamento de $ do pedido # foi recusado. Nada foi cobrado. Você pode tentar de novo na página do pedido.",
        ),
        (Notice::InPreparation, English) => ("Order # is being prepared", "The kitchen has begun with your order #."),
        (Notice::InPreparation, Portuguese) => ("Pedido # em preparo", "A cozinha começou a preparar seu pedido #."),
        (Notice::Ready, English) => ("Order # is ready", "Your order # is ready."),
        (Notice::Ready, Portuguese) => ("Pedido # pronto", "Seu pedido # está pronto."),
        (Notice::OutForDelivery, English) => ("Order # is on its way", "The courier has your order #."),
        (Notice::OutForDelivery, Portuguese) => ("Pedido # saiu para entrega", "Seu pedido # está com o entregador."),
        (Notice::Delivered, English) => ("Order # delivered", "Your order # is with you. Enjoy your meal!"),
        (Notice::Delivered, Portuguese) => ("Pedido # entregue", "Seu pedido # foi entregue. Bom apetite!"),
        (Notice::Cancelled, English) => {
            ("Order # cancelled", "Your order # was cancelled. Whatever was held or paid goes back to you.")
        }
        (Notice::Cancelled, Portuguese) => {
            ("Pedido # cancelado", "Seu pedido # foi cancelado. O que foi reservado ou pago volta para você.")
        }
        (Notice::Rejected, English) => {
            ("Order # could not be accepted", "We are sorry: we could not accept your order #. Nothing stays charged.")
        }
        (Notice::Rejected, Portuguese) => {
            ("Pedido # não foi aceito", "Sentimos muito: não pudemos aceitar o pedido #. Nada fica cobrado.")
        }
        (Notice::Refunded, English) => (
            "Refund for order #",
            "We have given back $ of your order #. The credit note is on the order's page. It can take some days until your bank shows it.",
        ),
        (Notice::Refunded, Portuguese) => (
            "Reembolso do pedido #",
            "Devolvemos $ do pedido #. A nota de crédito está na página do pedido. Pode levar alguns dias até o banco mostrar.",
        ),
        (Notice::Expired, English) => {
            ("Order # expired", "Your order # was not paid in time and has expired. Nothing was charged.")
        }
        (Notice::Expired, Portuguese) => {
            ("Pedido # expirou", "Seu pedido # não foi pago a tempo e expirou. Nada foi cobrado.")
        }
        (Notice::Reopened, English) => (
            "Order # goes on",
            "Your payment of $ came after order # had expired. Everything is still there, so we go on with it.",
        ),
        (Notice::Reopened, Portuguese) => (
            "Pedido # segue em frente",
            "Seu pagamento de $ chegou depois que o pedido # expirou. Ainda temos tudo, então seguimos com ele.",
        ),
        (Notice::PaidLate, English) => (
            "Payment for order # came late",
            "Your payment of $ came when order # was over. We are giving it back, and write again when it is on its way.",
        ),
        (Notice::PaidLate, Portuguese) => (
            "Pagamento do pedido # chegou tarde",
            "Seu pagamento de $ chegou quando o pedido # já tinha acabado. Vamos devolvê-lo e avisamos quando ele estiver a caminho.",
        ),
        (Notice::Released, English) => (
            "Nothing was charged for order #",
            "We have let go of the $ that were held for your order #. Nothing was charged. It can take some days until your bank shows it.",
        ),
        (Notice::Released, Portuguese) => (
            "Nada foi cobrado pelo pedido #",
            "Liberamos o valor de $ que estava reservado para o pedido #. Nada foi cobrado. Pode levar alguns dias até o banco mostrar.",
        ),
    }
}

/// The mail of a notice.
pub(super) fn compose(notice: Notice, locale: Locale, facts: &Facts<'_>) -> Texts {
    let amount = if notice == Notice::Refunded { facts.refunded } else { facts.total };
    let number = facts.number.to_string();
    let amount = Money::new(amount, facts.currency).display(locale);
    let fill = |text: &str| text.replace('#', &number).replace('$', &amount);
    let (subject, sentence) = words(notice, locale);
    let (subject, sentence) = (fill(subject), fill(sentence));
    let greeting = match (locale, facts.name) {
        (Locale::English, Some(name)) => format!("Hello {name},"),
        (Locale::English, None) => "Hello,".into(),
        (Locale::Portuguese, Some(name)) => format!("Olá, {name}!"),
        (Locale::Portuguese, None) => "Olá!".into(),
    };
    let [delivery, service, tip, follow, reason] = match locale {
        Locale::English => ["Delivery", "Service", "Tip", "Follow your order", "Reason"],
        Locale::Portuguese => ["Entrega", "Serviço", "Gorjeta", "Acompanhe seu pedido", "Motivo"],
    };
    let mut rows: Vec<(String, String)> = Vec::new();
    if matches!(notice, Notice::Received | Notice::PaymentConfirmed) {
        for line in facts.lines {
            rows.push((format!("{} x {}", line.quantity, described(line)), plain(line.total, locale)));
        }
        for (label, minor) in [(delivery, facts.delivery_fee), (service, facts.service_fee), (tip, facts.tip)] {
            if minor > 0 {
                rows.push((label.into(), plain(minor, locale)));
            }
        }
        rows.push(("Total".into(), Money::new(facts.total, facts.currency).display(locale)));
    }
    let why = facts.reason.filter(|_| notice == Notice::Cancelled);
    let why = why.map(|why| format!("{reason}: {why}"));

    let mut text = format!("{greeting}\n\n{sentence}\n");
    let mut html = format!("<p>{}</p>\n<p>{}</p>\n", escape(&greeting), escape(&sentence));
    if let Some(why) = why {
        let _ = write!(text, "\n{why}\n");
        let _ = writeln!(html, "<p>{}</p>", escape(&why));
    }
    if !rows.is_empty() {
        text.push('\n');
        html.push_str("<table cellpadding=\"4\">\n");
        for (label, amount) in &rows {
            let _ = writeln!(text, "{label}: {amount}");
            let _ = writeln!(html, "<tr><td>{}</td><td align=\"right\">{}</td></tr>", escape(label), escape(amount));
        }
        html.push_str("</table>\n");
    }
    if let Some(link) = &facts.link {
        let _ = write!(text, "\n{follow}: {link}\n");
        let _ = writeln!(html, "<p><a href=\"{}\">{follow}</a></p>", escape(link));
    }
    let _ = write!(text, "\n{}\n", facts.merchant);
    let _ = writeln!(html, "<p>{}</p>", escape(facts.merchant));
    Texts {
        subject: format!("{subject} - {}", facts.merchant),
        text,
        html: format!(
            "<!doctype html>\n<html lang=\"{}\"><body style=\"font-family:sans-serif\">\n{html}</body></html>\n",
            locale.tag()
        ),
    }
}

fn described(line: &Line) -> String {
    let mut text = line.name.clone();
    let options = line.options.iter().map(|option| &option.name);
    let extras = line.extras.iter().map(|extra| &extra.name);
    let more: Vec<&str> = options.chain(extras).map(String::as_str).collect();
    if !more.is_empty() {
        let _ = write!(text, " ({})", more.join(", "));
    }
    text
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_has_its_words_in_both_languages() {
        let line = Line {
            sku: "xis".into(),
            name: "Xis <b>".into(),
            quantity: 2,
            unit_price: 1295,
            options: Vec::new(),
            extras: Vec::new(),
            total: 2590,
            note: String::new(),
        };
        for notice in domain::notification::ALL {
            for locale in [Locale::English, Locale::Portuguese] {
                let facts = Facts {
                    merchant: "Lancheria",
                    name: Some("Ana <script>"),
                    number: 42,
                    lines: std::slice::from_ref(&line),
                    delivery_fee: 0,
                    service_fee: 0,
                    tip: 0,
                    total: 2590,
                    refunded: 1000,
                    currency: Currency::BRL,
                    link: Some("https://example.com/orders/1?t=2&x=3".into()),
                    reason: Some("changed my mind"),
                };
                let mail = compose(notice, locale, &facts);
                assert!(mail.subject.contains("42") && !mail.subject.contains('#'), "{}", mail.subject);
                assert!(mail.text.contains("42") && mail.text.contains("Ana <script>"));
                assert!(!mail.html.contains("<script>") && !mail.html.contains("Xis <b>"));
                assert_eq!(mail.text.contains("changed my mind"), notice == Notice::Cancelled);
                assert_eq!(mail.text.contains("10,00"), notice == Notice::Refunded && locale == Locale::Portuguese);
            }
        }
    }
}
