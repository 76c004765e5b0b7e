//! Bank statements as comma-separated values: a line of names, then a line each.

use super::amount::{amount, date};
use super::{ImportError, ImportOptions, Line, Parsed, Rejected, clean};

const DATE: &[&str] =
    &["date", "data", "dt", "data lançamento", "data lancamento", "data mov.", "fecha", "posted", "booking date"];
const AMOUNT: &[&str] = &["amount", "valor", "value", "valor (r$)", "montante", "importe"];
const DESCRIPTION: &[&str] = &[
    "description",
    "descrição",
    "descricao",
    "histórico",
    "historico",
    "lançamento",
    "lancamento",
    "memo",
    "text",
    "payee",
];
const ID: &[&str] = &["id", "fitid", "identificador", "transaction id", "documento", "reference"];

/// The lines of a file; what is wrong with a line is said of that line.
pub(super) fn parse(text: &str, options: &ImportOptions) -> Result<Parsed, ImportError> {
    let delimiter = match options.delimiter {
        Some(delimiter) => u8::try_from(delimiter).map_err(|_| file("the delimiter must be an ASCII character"))?,
        None => guess(text),
    };
    // One kind of line end, so that lines are counted as people count them.
    let text = text.replace("\r\n", "\n");
    let mut lines = Lines { text: &text, at: 0, number: 1 };
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(::csv::Trim::All)
        .from_reader(text.as_bytes());
    let names = reader.headers().map_err(|error| file(format!("the line of names cannot be read: {error}")))?.clone();
    let column = |wanted: Option<&String>, usual: &[&str], what: &str| {
        let found = match wanted {
            Some(wanted) => names.iter().position(|name| name.eq_ignore_ascii_case(wanted)),
            None => names.iter().position(|name| usual.contains(&name.to_lowercase().as_str())),
        };
        let list = || names.iter().collect::<Vec<_>>().join("`, `");
        found.ok_or_else(|| file(format!("no column of the {what} among `{}`; name it", list())))
    };
    let at_date = column(options.date_column.as_ref(), DATE, "date")?;
    let at_amount = column(options.amount_column.as_ref(), AMOUNT, "amount")?;
    let at_text = column(options.description_column.as_ref(), DESCRIPTION, "description")?;
    let at_id = match &options.id_column {
        Some(_) => Some(column(options.id_column.as_ref(), ID, "id")?),
        None => names
            .iter()
            .position(|name| ["fitid", "identificador", "transaction id"].contains(&name.to_lowercase().as_str())),
    };
    let mut parsed = Parsed::default();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = lines.number_at(error.position().map_or(0, ::csv::Position::byte));
                parsed
                    .rejected
                    .push(Rejected { line, reason: "the line cannot be read; are its quotes right?".into() });
                continue;
            }
        };
        let number = lines.number_at(record.position().map_or(0, ::csv::Position::byte));
        let field = |at: usize| record.get(at).unwrap_or_default();
        if record.iter().all(str::is_empty) {
            continue;
        }
        let line = date(field(at_date), options.dates).and_then(|date| {
            let amount = amount(field(at_amount), options.decimal)?;
            let id = at_id.map(field).filter(|id| !id.is_empty()).map(clean);
            Ok(Line { number, date, amount, description: clean(field(at_text)), id })
        });
        match line {
            Ok(line) => parsed.lines.push(line),
            Err(reason) => parsed.rejected.push(Rejected { line: number, reason }),
        }
    }
    Ok(parsed)
}

/// Counts lines up to records, which come in order.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    number: u64,
}

impl Lines<'_> {
    /// The line of the record that begins at a byte or after the empty lines there.
    fn number_at(&mut self, byte: u64) -> u64 {
        let bytes = self.text.as_bytes();
        let to = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(byte) = bytes.get(self.at).filter(|byte| self.at < to || **byte == b'\n') {
            self.number += u64::from(*byte == b'\n');
            self.at += 1;
        }
        self.number
    }
}

/// The delimiter that the line of names has most often.
fn guess(text: &str) -> u8 {
    let names = text.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| names.bytes().filter(|byte| byte == delimiter).count();
    [b',', b';', b'\t', b'|'].into_iter().max_by_key(count).unwrap_or(b',')
}

fn file(problem: impl Into<String>) -> ImportError {
    ImportError::File(problem.into())
}

#[cfg(test)]
mod tests {
    use super::super::{DateOrder, DecimalMark};
    use super::*;

    #[test]
    fn a_brazilian_and_an_american_file() {
        let brazilian = "Data;Histórico;Valor\r\n01/03/2026;PIX RECEBIDO  ANA;1.234,56\r\n\r\n02/03/2026;\"TARIFA; MENSAL\";-9,90\r\n";
        let options = ImportOptions { decimal: DecimalMark::Comma, ..ImportOptions::default() };
        let parsed = parse(brazilian, &options).unwrap();
        let found: Vec<_> =
            parsed.lines.iter().map(|l| (l.number, l.date.to_string(), l.amount, l.description.as_str())).collect();
        assert_eq!(
            found,
            [(2, "2026-03-01".into(), 123_456, "PIX RECEBIDO ANA"), (4, "2026-03-02".into(), -990, "TARIFA; MENSAL"),]
        );
        let american = "Posted,What,Amount,FITID\n3/1/2026,Coffee,-4.50,a1\n13/1/2026,Bad,1,a2\n3/2/2026,Tea,x,a3\n";
        let options = ImportOptions {
            dates: DateOrder::Mdy,
            description_column: Some("what".into()),
            ..ImportOptions::default()
        };
        let parsed = parse(american, &options).unwrap();
        assert_eq!(parsed.lines.len(), 1);
        assert_eq!(parsed.lines[0].id.as_deref(), Some("a1"));
        let rejected: Vec<_> = parsed.rejected.iter().map(|r| (r.line, r.reason.as_str())).collect();
        assert_eq!(rejected[0], (3, "`13/1/2026` is no date"));
        assert_eq!(rejected[1].0, 4);
        assert!(
            matches!(parse("a,b\n1,2\n", &ImportOptions::default()), Err(ImportError::File(text)) if text.contains("`a`, `b`"))
        );
    }
}
