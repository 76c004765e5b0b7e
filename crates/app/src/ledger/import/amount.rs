//! Amounts and dates as banks write them.

use jiff::civil::Date;

use super::{DateOrder, DecimalMark};

/// Minor units of an amount such as `-1.234,56`, `R$ 10`, `(5.00)`, `5.00-`, `12,34 D`.
pub(super) fn amount(text: &str, mark: DecimalMark) -> Result<i64, String> {
    let wrong = |problem: &str| format!("`{}` {problem}", text.chars().take(32).collect::<String>());
    let (decimal, thousands) = match mark {
        DecimalMark::Point => ('.', ','),
        DecimalMark::Comma => (',', '.'),
    };
    let mut rest: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut negative = false;
    for symbol in ["R$", "US$", "$", "€", "BRL", "USD", "EUR"] {
        rest = rest.replace(symbol, "");
    }
    if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        (negative, rest) = (true, inner.to_owned());
    }
    for (sign, is_negative) in [('-', true), ('−', true), ('+', false), ('D', true), ('C', false)] {
        let part = rest.strip_prefix(sign).or_else(|| rest.strip_suffix(sign));
        if let Some(part) = part {
            if negative {
                return Err(wrong("has two signs"));
            }
            (negative, rest) = (is_negative, part.to_owned());
        }
    }
    let (whole, cents) = rest.split_once(decimal).unwrap_or((&rest, ""));
    let groups: Vec<&str> = whole.split(thousands).collect();
    let grouped = groups.len() == 1
        || (groups.iter().skip(1).all(|group| group.len() == 3)
            && groups.first().is_some_and(|g| (1..=3).contains(&g.len())));
    let digits: String = groups.concat();
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !grouped || digits.is_empty() || !is_number(&digits) || !is_number(cents) {
        return Err(wrong("is no amount; is the decimal mark right?"));
    }
    if cents.len() > 2 {
        return Err(wrong("has more than two decimals; is the decimal mark right?"));
    }
    let minor: Option<i64> = format!("{digits}{cents:0<2}").parse().ok();
    let minor = minor.filter(|minor| *minor <= domain::ledger::MAX_POSTING).ok_or_else(|| wrong("is too large"))?;
    if minor == 0 {
        return Err(wrong("is zero: there is nothing to post"));
    }
    Ok(if negative { -minor } else { minor })
}

/// A date such as `2026-03-01`, `20260301`, `01/03/2026`, `1.3.26`; what follows it after a space or `T` is left out.
pub(super) fn date(text: &str, order: DateOrder) -> Result<Date, String> {
    let wrong = || format!("`{}` is no date", text.chars().take(32).collect::<String>());
    let first = text.trim().split(|c: char| c.is_whitespace() || c == 'T').next().unwrap_or_default();
    let parts: Vec<&str> = first.split(|c: char| !c.is_ascii_digit()).collect();
    let (year, month, day) = match parts.as_slice() {
        [all, ..] if all.len() >= 8 => {
            let part = |range: std::ops::Range<usize>| all.get(range).unwrap_or_default();
            (part(0..4), part(4..6), part(6..8))
        }
        [year, month, day] if year.len() == 4 => (*year, *month, *day),
        [a, b, year] => match order {
            DateOrder::Dmy => (*year, *b, *a),
            DateOrder::Mdy => (*year, *a, *b),
        },
        _ => return Err(wrong()),
    };
    let century = if year.len() == 2 { 2000 } else { 0 };
    let year: i16 = year.parse().map_err(|_| wrong())?;
    let (month, day) = (month.parse().map_err(|_| wrong())?, day.parse().map_err(|_| wrong())?);
    let date = Date::new(year + century, month, day).map_err(|_| wrong())?;
    (1971..2200).contains(&date.year()).then_some(date).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_banks_write_them() {
        #[track_caller]
        fn check(text: &str, point: Option<i64>, comma: Option<i64>) {
            assert_eq!(amount(text, DecimalMark::Point).ok(), point, "{text} with a point");
            assert_eq!(amount(text, DecimalMark::Comma).ok(), comma, "{text} with a comma");
        }
        check("12.34", Some(1_234), None);
        check("-1.234,56", None, Some(-123_456));
        check("1,234.56", Some(123_456), None);
        check("R$ 10", Some(1_000), Some(1_000));
        check("(5.00)", Some(-500), None);
        check("5,00-", None, Some(-500));
        check("12,34 D", None, Some(-1_234));
        check("12,34 C", None, Some(1_234));
        check("+7,5", None, Some(750));
        check("1.000", None, Some(100_000));
        check("12.345", None, Some(1_234_500));
        for wrong in ["", "abc", "0", "0.00", "1e5", "--5", "(-5)", "1.23.45", "99999999999999999999"] {
            check(wrong, None, None);
        }
    }

    #[test]
    fn dates_as_banks_write_them() {
        #[track_caller]
        fn check(text: &str, order: DateOrder, expected: Option<&str>) {
            assert_eq!(date(text, order).ok().map(|date| date.to_string()).as_deref(), expected, "{text}");
        }
        for text in ["2026-03-01", "20260301", "01/03/2026", "1.3.26", "01/03/2026 10:20", "20260301120000[-3:BRT]"] {
            check(text, DateOrder::Dmy, Some("2026-03-01"));
        }
        check("03/01/2026", DateOrder::Mdy, Some("2026-03-01"));
        check("2028-02-29", DateOrder::Dmy, Some("2028-02-29"));
        for wrong in ["", "29/02/2027", "31/04/2026", "x", "2026", "1969-01-01"] {
            check(wrong, DateOrder::Dmy, None);
        }
    }
}
