//! Bank statements as Open Financial Exchange. Version 1 is SGML whose values end at the next tag or line, version 2 is XML;
//! one reader of tags reads both. Of the file only `STMTTRN` and `CURDEF` are looked at.

use domain::Currency;

use super::amount::{amount, date};
use super::{DateOrder, DecimalMark, ImportError, Line, Parsed, Rejected, clean};

/// The lines of a file.
pub(super) fn parse(text: &str) -> Result<Parsed, ImportError> {
    let begin = text.find("<OFX>").or_else(|| text.find("<ofx>"));
    let begin = begin.ok_or_else(|| ImportError::File("there is no `<OFX>` in the file; is it OFX?".into()))?;
    let mut number = 1 + text.get(..begin).map_or(0, |head| head.matches('\n').count() as u64);
    let mut parsed = Parsed::default();
    let mut open: Option<Transaction> = None;
    let mut rest = text.get(begin..).unwrap_or_default();
    while let Some(at) = rest.find('<') {
        number += newlines(rest, at);
        let tail = rest.get(at + 1..).unwrap_or_default();
        let Some(end) = tail.find('>') else { break };
        let tag = tail.get(..end).unwrap_or_default().trim().to_ascii_uppercase();
        let after = tail.get(end + 1..).unwrap_or_default();
        let value = after.split(['<', '\n', '\r']).next().unwrap_or_default().trim();
        match tag.as_str() {
            "STMTTRN" => {
                if let Some(transaction) = open.replace(Transaction { number, ..Transaction::default() }) {
                    transaction.end(&mut parsed);
                }
            }
            "/STMTTRN" | "/BANKTRANLIST" => {
                if let Some(transaction) = open.take() {
                    transaction.end(&mut parsed);
                }
            }
            "CURDEF" => {
                let currency = Currency::from_code(value);
                let unknown =
                    || ImportError::File(format!("the file is in `{value}`; only BRL, USD and EUR are known"));
                parsed.currency = Some(currency.ok_or_else(unknown)?);
            }
            tag => {
                if let Some(transaction) = &mut open {
                    transaction.set(tag, value);
                }
            }
        }
        number += newlines(tail, end);
        rest = after;
    }
    if let Some(transaction) = open {
        transaction.end(&mut parsed);
    }
    Ok(parsed)
}

fn newlines(text: &str, before: usize) -> u64 {
    text.get(..before).map_or(0, |text| text.matches('\n').count() as u64)
}

#[derive(Default)]
struct Transaction {
    number: u64,
    posted: String,
    amount: String,
    id: String,
    name: String,
    memo: String,
}

impl Transaction {
    fn set(&mut self, tag: &str, value: &str) {
        let field = match tag {
            "DTPOSTED" => &mut self.posted,
            "TRNAMT" => &mut self.amount,
            "FITID" => &mut self.id,
            "NAME" => &mut self.name,
            "MEMO" => &mut self.memo,
            _ => return,
        };
        *field = unescape(value);
    }

    fn end(self, parsed: &mut Parsed) {
        let number = self.number;
        match self.line() {
            Ok(line) => parsed.lines.push(line),
            Err(reason) => parsed.rejected.push(Rejected { line: number, reason }),
        }
    }

    fn line(self) -> Result<Line, String> {
        if self.id.is_empty() {
            return Err("the transaction has no `FITID`".into());
        }
        // The standard allows both marks, and no marks of thousands.
        let amount = amount(&self.amount.replace(',', "."), DecimalMark::Point)?;
        let text = if self.memo.is_empty() || self.memo == self.name {
            self.name
        } else if self.name.is_empty() {
            self.memo
        } else {
            format!("{} {}", self.name, self.memo)
        };
        let date = date(&self.posted, DateOrder::Dmy)?;
        Ok(Line { number: self.number, date, amount, description: clean(&text), id: Some(clean(&self.id)) })
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SGML: &str = "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nCHARSET:1252\n\n<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS>\n\
        <CURDEF>BRL\n<BANKTRANLIST>\n<STMTTRN>\n<TRNTYPE>CREDIT\n<DTPOSTED>20260301120000[-3:BRT]\n<TRNAMT>1234.56\n\
        <FITID>A-1\n<MEMO>PIX RECEBIDO &amp; CIA\n</STMTTRN>\n<STMTTRN>\n<TRNTYPE>DEBIT\n<DTPOSTED>20260302\n<TRNAMT>-9,90\n\
        <FITID>A-2\n<NAME>TARIFA\n<MEMO>MENSAL\n</STMTTRN>\n<STMTTRN>\n<DTPOSTED>20260399\n<TRNAMT>1\n<FITID>A-3\n</STMTTRN>\n\
        </BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n";
    const XML: &str = "<?xml version=\"1.0\"?>\n<?OFX OFXHEADER=\"200\" VERSION=\"211\"?>\n<OFX><CURDEF>USD</CURDEF>\
        <BANKTRANLIST><STMTTRN><DTPOSTED>20260301</DTPOSTED><TRNAMT>5.00</TRNAMT><FITID>x</FITID><NAME>Tea</NAME></STMTTRN>\
        <STMTTRN><DTPOSTED>20260301</DTPOSTED><TRNAMT>-5.00</TRNAMT><NAME>no id</NAME></STMTTRN></BANKTRANLIST></OFX>";

    #[test]
    fn both_versions_read_alike() {
        let parsed = parse(SGML).unwrap();
        assert_eq!(parsed.currency, Some(Currency::BRL));
        let found: Vec<_> = parsed
            .lines
            .iter()
            .map(|l| (l.number, l.date.to_string(), l.amount, l.description.as_str(), l.id.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                (9, "2026-03-01".into(), 123_456, "PIX RECEBIDO & CIA", Some("A-1")),
                (16, "2026-03-02".into(), -990, "TARIFA MENSAL", Some("A-2")),
            ]
        );
        assert_eq!(parsed.rejected, [Rejected { line: 24, reason: "`20260399` is no date".into() }]);
        let parsed = parse(XML).unwrap();
        assert_eq!((parsed.currency, parsed.lines.len()), (Some(Currency::USD), 1));
        assert_eq!(parsed.lines[0].description, "Tea");
        assert_eq!(parsed.rejected, [Rejected { line: 3, reason: "the transaction has no `FITID`".into() }]);
        assert!(parse("Data;Valor").is_err());
        assert!(parse("<OFX><CURDEF>JPY</OFX>").is_err());
    }
}
