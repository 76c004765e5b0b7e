//! The documents of receipts and credit notes: one narrow page, as long as it needs to be.
//!
//! The two fonts are among the fourteen that every reader has, so nothing is embedded and a document takes about 4 kB. The
//! same receipt makes the same bytes: no clock, no random identifier.

use domain::Money;
use domain::money::{Locale, plain};
use domain::receipt::{Merchant, Method, Receipt};
use pdf_writer::{Content, Name, Pdf, Rect, Ref, Str, TextStr};

use super::metrics::{Weight, encode, width};

/// The version of the documents. Raise it with whatever makes other bytes of the same receipt: those issued before then keep
/// theirs, and are never replaced by ones that differ.
pub(crate) const TEMPLATE: i64 = 1;

const PAGE_WIDTH: f32 = 320.0;
pub(super) const MARGIN: f32 = 28.0;
pub(super) const BAND: f32 = 86.0;
const RIGHT: f32 = PAGE_WIDTH - MARGIN;
/// Where the amounts' column begins at the latest, so that names never run into it.
const NAMES_END: f32 = RIGHT - 70.0;

pub(super) const INK: [f32; 3] = [0.13, 0.15, 0.19];
pub(super) const SOFT: [f32; 3] = [0.42, 0.45, 0.51];
pub(super) const ACCENT: [f32; 3] = [0.71, 0.22, 0.13];
pub(super) const WHITE: [f32; 3] = [1.0, 1.0, 1.0];

/// The words of the document.
struct Words {
    title: &'static str,
    order: &'static str,
    date: &'static str,
    subtotal: &'static str,
    delivery: &'static str,
    service: &'static str,
    tip: &'static str,
    total: &'static str,
    paid: &'static str,
    card: &'static str,
    thanks: &'static str,
    fiscal: &'static str,
}

fn words(locale: Locale) -> Words {
    match locale {
        Locale::English => Words {
            title: "Receipt",
            order: "Order",
            date: "Date",
            subtotal: "Subtotal",
            delivery: "Delivery",
            service: "Service",
            tip: "Tip",
            total: "Total",
            paid: "Paid by",
            card: "card",
            thanks: "Thank you, and enjoy your meal!",
            fiscal: "This receipt is not a tax invoice.",
        },
        Locale::Portuguese => Words {
            title: "Recibo",
            order: "Pedido",
            date: "Data",
            subtotal: "Subtotal",
            delivery: "Entrega",
            service: "Serviço",
            tip: "Gorjeta",
            total: "Total",
            paid: "Pago com",
            card: "cartão",
            thanks: "Obrigado e bom apetite!",
            fiscal: "Este recibo não é documento fiscal.",
        },
    }
}

/// Text to set: where, how, what.
struct Mark {
    x: f32,
    /// Down from the top of the page.
    y: f32,
    size: f32,
    weight: Weight,
    colour: [f32; 3],
    text: Vec<u8>,
}

/// A page that grows downwards.
pub(super) struct Sheet {
    pub(super) y: f32,
    marks: Vec<Mark>,
    rules: Vec<f32>,
}

impl Sheet {
    pub(super) fn left(&mut self, x: f32, size: f32, weight: Weight, colour: [f32; 3], text: &str) {
        let mut text = encode(text);
        // Cut what would run off the page.
        while width(&text, weight, size) > RIGHT - x && text.pop().is_some() {}
        self.marks.push(Mark { x, y: self.y, size, weight, colour, text });
    }

    pub(super) fn right(&mut self, size: f32, weight: Weight, colour: [f32; 3], text: &str) {
        let text = encode(text);
        let x = RIGHT - width(&text, weight, size);
        self.marks.push(Mark { x, y: self.y, size, weight, colour, text });
    }

    pub(super) fn centre(&mut self, size: f32, weight: Weight, colour: [f32; 3], text: &str) {
        let text = encode(text);
        let x = (PAGE_WIDTH - width(&text, weight, size)) / 2.0;
        self.marks.push(Mark { x, y: self.y, size, weight, colour, text });
    }

    /// Text in as many lines as it needs up to `end`; leaves `y` at the last one.
    pub(super) fn wrapped(&mut self, x: f32, end: f32, size: f32, weight: Weight, colour: [f32; 3], text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace() {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if !line.is_empty() && width(&encode(&longer), weight, size) > end - x {
                self.left(x, size, weight, colour, &line);
                self.y += size + 2.5;
                word.clone_into(&mut line);
            } else {
                line = longer;
            }
        }
        self.left(x, size, weight, colour, &line);
    }

    pub(super) fn rule(&mut self) {
        self.rules.push(self.y);
    }

    pub(super) fn new() -> Sheet {
        Sheet { y: 0.0, marks: Vec::with_capacity(64), rules: Vec::new() }
    }

    /// Who sells, in the band; then the document's title and number.
    pub(super) fn head(&mut self, merchant: &Merchant, title: &str, number: i64) {
        self.y = 34.0;
        self.left(MARGIN, 17.0, Weight::Bold, WHITE, &merchant.name);
        self.y = 52.0;
        self.left(MARGIN, 8.0, Weight::Regular, WHITE, &merchant.tax_id);
        self.y = 64.0;
        self.left(MARGIN, 8.0, Weight::Regular, WHITE, &merchant.address);
        self.y = BAND + 28.0;
        self.left(MARGIN, 13.0, Weight::Bold, INK, title);
        self.right(13.0, Weight::Bold, ACCENT, &format!("{number:06}"));
    }

    /// A small label and its value.
    pub(super) fn fact(&mut self, label: &str, value: &str) {
        self.left(MARGIN, 9.0, Weight::Regular, SOFT, label);
        self.right(9.0, Weight::Regular, INK, value);
    }
}

/// The document of a receipt.
pub(super) fn render(receipt: &Receipt) -> Vec<u8> {
    let words = words(receipt.locale);
    let mut sheet = Sheet::new();
    head(&mut sheet, receipt, &words);
    for line in &receipt.lines {
        item(&mut sheet, line, receipt.locale);
    }
    totals(&mut sheet, receipt, &words);
    foot(&mut sheet, receipt, &words);
    let title = format!("{} {:06} - {}", words.title, receipt.number, receipt.merchant.name);
    write(&sheet, &title, receipt.locale)
}

fn head(sheet: &mut Sheet, receipt: &Receipt, words: &Words) {
    sheet.head(&receipt.merchant, words.title, receipt.number);
    for (label, value) in [(words.order, receipt.order_number.to_string()), (words.date, receipt.issued_at.clone())] {
        sheet.y += 16.0;
        sheet.fact(label, &value);
    }
    sheet.y += 14.0;
    sheet.rule();
    sheet.y += 4.0;
}

/// A line of the order.
pub(super) fn item(sheet: &mut Sheet, line: &domain::basket::Line, locale: Locale) {
    sheet.y += 17.0;
    sheet.right(10.0, Weight::Regular, INK, &plain(line.total, locale));
    sheet.left(MARGIN, 10.0, Weight::Bold, INK, &line.quantity.to_string());
    sheet.wrapped(MARGIN + 24.0, NAMES_END, 10.0, Weight::Regular, INK, &line.name);
    let options = line.options.iter().map(|option| (&option.name, option.price));
    let extras = line.extras.iter().map(|extra| (&extra.name, extra.price));
    for (name, price) in options.chain(extras) {
        sheet.y += 12.0;
        let text = if price > 0 { format!("{name} +{}", plain(price, locale)) } else { name.clone() };
        sheet.wrapped(MARGIN + 24.0, NAMES_END, 8.0, Weight::Regular, SOFT, &text);
    }
    if line.quantity > 1 {
        sheet.y += 12.0;
        let each = format!("{} x {}", line.quantity, plain(line.unit_price, locale));
        sheet.left(MARGIN + 24.0, 8.0, Weight::Regular, SOFT, &each);
    }
}

fn totals(sheet: &mut Sheet, receipt: &Receipt, words: &Words) {
    sheet.y += 14.0;
    sheet.rule();
    sheet.y += 4.0;
    let parts = [
        (words.subtotal, receipt.subtotal),
        (words.delivery, receipt.delivery_fee),
        (words.service, receipt.service_fee),
        (words.tip, receipt.tip),
    ];
    if receipt.subtotal != receipt.total {
        for (label, minor) in parts.into_iter().filter(|(_, minor)| *minor > 0) {
            sheet.y += 15.0;
            sheet.left(MARGIN, 9.0, Weight::Regular, SOFT, label);
            sheet.right(9.0, Weight::Regular, INK, &plain(minor, receipt.locale));
        }
    }
    sheet.y += 22.0;
    sheet.left(MARGIN, 14.0, Weight::Bold, INK, words.total);
    let total = Money::new(receipt.total, receipt.currency).display(receipt.locale);
    sheet.right(14.0, Weight::Bold, INK, &total);
    sheet.y += 17.0;
    sheet.fact(words.paid, &paid_by(&receipt.method, words.card));
}

/// How it was paid, as people read it.
pub(super) fn paid_by(method: &Method, card: &str) -> String {
    match method {
        Method::Pix => "Pix".to_owned(),
        Method::PayPal => "PayPal".to_owned(),
        Method::Card { last4, .. } if last4.is_empty() => card.to_owned(),
        Method::Card { brand, last4 } => {
            format!("{card} {} \u{2022}\u{2022}\u{2022}\u{2022} {last4}", brand_name(brand))
        }
    }
}

/// As the brand writes itself.
fn brand_name(brand: &str) -> &str {
    match brand {
        "visa" => "Visa",
        "mastercard" => "Mastercard",
        "amex" => "American Express",
        "card" => "",
        other => other,
    }
}

fn foot(sheet: &mut Sheet, receipt: &Receipt, words: &Words) {
    sheet.y += 16.0;
    sheet.rule();
    sheet.y += 20.0;
    sheet.centre(9.0, Weight::Bold, ACCENT, words.thanks);
    sheet.y += 14.0;
    sheet.centre(7.0, Weight::Regular, SOFT, words.fiscal);
    sheet.y += 10.0;
    sheet.centre(7.0, Weight::Regular, SOFT, &receipt.order_id);
    sheet.y += 24.0;
}

/// Writes the page: the band, the rules, the text.
pub(super) fn write(sheet: &Sheet, title: &str, locale: Locale) -> Vec<u8> {
    let height = sheet.y;
    let mut content = Content::with_capacity(4_096);
    let [r, g, b] = ACCENT;
    content.set_fill_rgb(r, g, b).rect(0.0, height - BAND, PAGE_WIDTH, BAND).fill_nonzero();
    content.set_stroke_gray(0.85).set_line_width(0.7);
    for y in &sheet.rules {
        content.move_to(MARGIN, height - y).line_to(RIGHT, height - y).stroke();
    }
    for mark in &sheet.marks {
        let [r, g, b] = mark.colour;
        let font = match mark.weight {
            Weight::Regular => Name(b"R"),
            Weight::Bold => Name(b"B"),
        };
        content.set_fill_rgb(r, g, b).begin_text().set_font(font, mark.size);
        content.next_line(mark.x, height - mark.y).show(Str(&mark.text)).end_text();
    }
    let [catalogue, tree, page, regular, bold, stream, info] = [1, 2, 3, 4, 5, 6, 7].map(Ref::new);
    let mut pdf = Pdf::with_capacity(8_192);
    pdf.catalog(catalogue).pages(tree).lang(TextStr(locale.tag()));
    pdf.pages(tree).kids([page]).count(1);
    let mut sheet_object = pdf.page(page);
    sheet_object.parent(tree).media_box(Rect::new(0.0, 0.0, PAGE_WIDTH, height)).contents(stream);
    sheet_object.resources().fonts().pair(Name(b"R"), regular).pair(Name(b"B"), bold);
    drop(sheet_object);
    for (id, name) in [(regular, &b"Helvetica"[..]), (bold, b"Helvetica-Bold")] {
        let mut font = pdf.type1_font(id);
        font.base_font(Name(name)).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    pdf.stream(stream, content.finish().as_slice());
    pdf.document_info(info).title(TextStr(title)).creator(TextStr("Comanda"));
    pdf.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Currency;
    use domain::basket::{Added, Chosen, Line};

    pub(crate) fn sample(locale: Locale) -> Receipt {
        let line = |name: &str, quantity: i64, unit_price: i64| Line {
            sku: "xis".into(),
            name: name.into(),
            quantity,
            unit_price,
            options: Vec::new(),
            extras: Vec::new(),
            total: quantity * unit_price,
            note: String::new(),
        };
        let mut first = line("Xis coração da casa com queijo, ovo e salada completa", 2, 3790);
        first.options.push(Chosen { option: "ponto".into(), code: "mal".into(), name: "Mal passado".into(), price: 0 });
        first.extras.push(Added { code: "bacon".into(), name: "Bacon".into(), price: 600 });
        let lines = vec![first, line("Guaraná lata", 1, 690), line("Pudim de leite", 100, 123_456)];
        let subtotal = lines.iter().map(|line| line.total).sum();
        Receipt {
            number: 1042,
            order_number: 311,
            order_id: "ord_0h4k2m9p7q3rs".into(),
            merchant: Merchant {
                name: "Lancheria Comanda".into(),
                tax_id: "CNPJ 12.345.678/0001-95".into(),
                address: "Rua da Praia, 100, Centro, Porto Alegre, RS".into(),
            },
            issued_at: "20/11/2026 09:12".into(),
            lines,
            subtotal,
            delivery_fee: 800,
            service_fee: 0,
            tip: 500,
            total: subtotal + 1300,
            currency: Currency::BRL,
            method: Method::Card { brand: "visa".into(), last4: "4242".into() },
            locale,
        }
    }

    #[test]
    fn the_same_receipt_makes_the_same_bytes() {
        let receipt = sample(Locale::Portuguese);
        let bytes = render(&receipt);
        assert!(bytes.starts_with(b"%PDF-"));
        assert_eq!(bytes, render(&receipt));
        assert_ne!(bytes, render(&sample(Locale::English)));
        let hash = crate::signature::hex(&<sha2::Sha256 as sha2::Digest>::digest(&bytes));
        assert_eq!(
            (TEMPLATE, hash.as_str()),
            (1, "bbbf88f0e58d522cbfd6b7b8705b172ed5957c2ab62938719adff8a894a8d95c"),
            "other bytes are another template"
        );
        assert!(bytes.len() < 8_192, "{} bytes", bytes.len());
        if let Ok(folder) = std::env::var("COMANDA_PDF_OUT") {
            std::fs::write(format!("{folder}/pt.pdf"), &bytes).unwrap();
            std::fs::write(format!("{folder}/en.pdf"), render(&sample(Locale::English))).unwrap();
            let start = std::time::Instant::now();
            for _ in 0..10_000 {
                std::hint::black_box(render(std::hint::black_box(&receipt)));
            }
            println!("{} ns each", start.elapsed().as_nanos() / 10_000);
        }
    }
}
