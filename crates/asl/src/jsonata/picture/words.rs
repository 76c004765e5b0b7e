//! Numbers in English words.

use super::super::error::{Result, error};

const FEW: [&str; 20] = [
    "Zero",
    "One",
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
    "Thirteen",
    "Fourteen",
    "Fifteen",
    "Sixteen",
    "Seventeen",
    "Eighteen",
    "Nineteen",
];
const ORDINALS: [&str; 20] = [
    "Zeroth",
    "First",
    "Second",
    "Third",
    "Fourth",
    "Fifth",
    "Sixth",
    "Seventh",
    "Eighth",
    "Ninth",
    "Tenth",
    "Eleventh",
    "Twelfth",
    "Thirteenth",
    "Fourteenth",
    "Fifteenth",
    "Sixteenth",
    "Seventeenth",
    "Eighteenth",
    "Nineteenth",
];
const DECADES: [&str; 8] = ["Twenty", "Thirty", "Forty", "Fifty", "Sixty", "Seventy", "Eighty", "Ninety"];
const MAGNITUDES: [(&str, f64); 4] = [("Trillion", 1e12), ("Billion", 1e9), ("Million", 1e6), ("Thousand", 1e3)];
/// The largest number written in words.
const MOST: f64 = 1e100;

/// A whole number of at least 0 in words.
pub(super) fn words(n: f64, ordinal: bool) -> Result<String> {
    if n > MOST {
        return error("D3130", "the number is too large for words");
    }
    let mut out = String::new();
    write(n, "", ordinal, &mut out);
    Ok(out)
}

fn pick(words: &[&'static str], n: f64) -> &'static str {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
    words.get(n as usize).copied().unwrap_or_default()
}

/// Writes `n` after `joint`, if something stands before it.
fn write(n: f64, before: &str, ordinal: bool, out: &mut String) {
    if n < 20.0 {
        out.push_str(if before.is_empty() { "" } else { " and " });
        out.push_str(pick(if ordinal { &ORDINALS } else { &FEW }, n));
    } else if n < 100.0 {
        out.push_str(if before.is_empty() { "" } else { " and " });
        let decade = pick(&DECADES, (n / 10.0).floor() - 2.0);
        let rest = n % 10.0;
        if rest > 0.0 {
            out.push_str(decade);
            out.push('-');
            write(rest, "", ordinal, out);
        } else if ordinal {
            out.push_str(decade.trim_end_matches('y'));
            out.push_str("ieth");
        } else {
            out.push_str(decade);
        }
    } else {
        let (name, worth) = match MAGNITUDES.iter().find(|(_, worth)| n >= *worth) {
            Some(magnitude) => *magnitude,
            None => ("Hundred", 100.0),
        };
        out.push_str(if before.is_empty() { "" } else { ", " });
        let count = (n / worth).floor();
        write(count, "", false, out);
        out.push(' ');
        out.push_str(name);
        let rest = n - count * worth;
        if rest > 0.0 {
            write(rest, "before", ordinal, out);
        } else if ordinal {
            out.push_str("th");
        }
    }
}

fn worth(word: &str) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "places in short lists")]
    let place = |words: &[&str]| words.iter().position(|known| known.eq_ignore_ascii_case(word)).map(|n| n as f64);
    if let Some(n) = place(&FEW).or_else(|| place(&ORDINALS)) {
        return Some(n);
    }
    let cardinal = match word.strip_suffix("ieth") {
        Some(stem) => format!("{stem}y"),
        None => word.strip_suffix("th").unwrap_or(word).to_owned(),
    };
    let named = |name: &str| name.eq_ignore_ascii_case(&cardinal);
    if let Some(n) = DECADES.iter().position(|name| named(name)) {
        #[expect(clippy::cast_precision_loss, reason = "a place in a short list")]
        return Some((n as f64 + 2.0) * 10.0);
    }
    if named("Hundred") {
        return Some(100.0);
    }
    MAGNITUDES.iter().find(|(name, _)| named(name)).map(|(_, worth)| *worth)
}

/// Reads words, in lower case.
pub(super) fn number(text: &str) -> Option<f64> {
    let mut parts: Vec<f64> = vec![0.0];
    for word in text.split([' ', ',', '-']).filter(|word| !word.is_empty() && *word != "and") {
        let value = worth(word)?;
        let last = parts.pop().unwrap_or(0.0);
        if value >= 100.0 {
            parts.push(last * value);
        } else if last >= 1000.0 {
            parts.push(last);
            parts.push(value);
        } else {
            parts.push(last + value);
        }
    }
    Some(parts.into_iter().sum())
}

/// A regular expression for such words.
pub(super) fn pattern() -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(FEW.iter().chain(&ORDINALS).chain(&DECADES).map(|word| word.to_lowercase()));
    words.extend(DECADES.iter().map(|word| format!("{}ieth", word.to_lowercase().trim_end_matches('y'))));
    words.extend(MAGNITUDES.iter().map(|(word, _)| word.to_lowercase()).chain(["hundred".to_owned()]));
    words.extend(MAGNITUDES.iter().map(|(word, _)| format!("{}th", word.to_lowercase())));
    words.extend(["hundredth".to_owned(), "and".to_owned(), "[-, ]".to_owned()]);
    // Longer words first, so that none is taken for its beginning.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    format!("(?:{})+", words.join("|"))
}
