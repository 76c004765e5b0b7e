//! Numbers by picture: `#,##0.00` (XPath's `format-number`) and integers as digits, letters, Roman numerals and words.

mod decimal;
mod words;

use super::error::{Result, error};

pub(super) use decimal::format_number;

/// Longest picture, in bytes.
const PICTURE_BYTES: usize = 1024;

/// Refuses a picture that is too long.
pub(super) fn limit(picture: &str) -> Result<()> {
    if picture.len() > PICTURE_BYTES {
        return error("D3130", format!("a picture has at most {PICTURE_BYTES} bytes"));
    }
    Ok(())
}

/// How an integer is written.
#[derive(Debug)]
pub(super) enum Primary {
    Decimal,
    Letters,
    Roman,
    Words,
    /// A sequence that is none of ours.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    Lower,
    Upper,
    Title,
}

/// The picture of an integer.
#[derive(Debug)]
pub(super) struct Integer {
    primary: Primary,
    case: Case,
    pub(super) ordinal: bool,
    /// The zero of its family of digits.
    zero: u32,
    pub(super) mandatory: usize,
    pub(super) optional: usize,
    /// Positions from the right, and characters, nearest first.
    separators: Vec<(usize, char)>,
    /// The separators repeat at this distance.
    regular: Option<(usize, char)>,
}

/// The zeros of the families of decimal digits.
const ZEROS: [u32; 37] = [
    0x30, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
    0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
];

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The distance at which positions repeat, 0 if they do not.
fn repeat(positions: &[usize]) -> usize {
    let factor = positions.iter().copied().reduce(gcd).unwrap_or(0);
    if factor > 0 && (1..=positions.len()).all(|n| positions.contains(&(n * factor))) { factor } else { 0 }
}

impl Integer {
    pub(super) fn parse(picture: &str) -> Result<Integer> {
        let (primary, modifier) = picture.rsplit_once(';').unwrap_or((picture, ""));
        let mut out = Integer {
            primary: Primary::Unknown,
            case: Case::Lower,
            ordinal: modifier.starts_with('o'),
            zero: 0x30,
            mandatory: 0,
            optional: 0,
            separators: Vec::new(),
            regular: None,
        };
        (out.primary, out.case) = match primary {
            "A" => (Primary::Letters, Case::Upper),
            "a" => (Primary::Letters, Case::Lower),
            "I" => (Primary::Roman, Case::Upper),
            "i" => (Primary::Roman, Case::Lower),
            "W" => (Primary::Words, Case::Upper),
            "Ww" => (Primary::Words, Case::Title),
            "w" => (Primary::Words, Case::Lower),
            _ => {
                out.digits(primary)?;
                return Ok(out);
            }
        };
        Ok(out)
    }

    fn digits(&mut self, picture: &str) -> Result<()> {
        let mut zero = None;
        let mut position = 0;
        for c in picture.chars().rev() {
            let code = u32::from(c);
            if let Some(family) = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code)) {
                if zero.is_some_and(|zero| zero != *family) {
                    let message = "In a decimal digit pattern, all digits must be from the same decimal group";
                    return error("D3131", message);
                }
                zero = Some(*family);
                self.mandatory += 1;
                position += 1;
            } else if c == '#' {
                self.optional += 1;
                position += 1;
            } else {
                self.separators.push((position, c));
            }
        }
        let Some(zero) = zero else { return Ok(()) };
        self.zero = zero;
        self.primary = Primary::Decimal;
        if let Some((_, first)) = self.separators.first().copied()
            && self.separators.iter().all(|(_, c)| *c == first)
        {
            let positions: Vec<usize> = self.separators.iter().map(|(position, _)| *position).collect();
            let distance = repeat(&positions);
            self.regular = (distance > 0).then_some((distance, first));
        }
        Ok(())
    }

    pub(super) fn is_regular(&self) -> bool {
        self.regular.is_some()
    }

    pub(super) fn regular_separator(&self) -> Option<char> {
        self.regular.map(|(_, c)| c)
    }

    fn unsupported<T>() -> Result<T> {
        error("D3130", "Formatting or parsing an integer as a sequence is not supported")
    }

    /// Writes a whole number.
    pub(super) fn format(&self, n: f64) -> Result<String> {
        let value = n.abs();
        let text = match self.primary {
            Primary::Letters => letters(value, self.case == Case::Upper),
            Primary::Roman => {
                let roman = roman(value)?;
                if self.case == Case::Upper { roman.to_uppercase() } else { roman }
            }
            Primary::Words => {
                let words = words::words(value, self.ordinal)?;
                match self.case {
                    Case::Lower => words.to_lowercase(),
                    Case::Upper => words.to_uppercase(),
                    Case::Title => words,
                }
            }
            Primary::Decimal => self.decimal(value),
            Primary::Unknown => return Self::unsupported(),
        };
        Ok(if n < 0.0 { format!("-{text}") } else { text })
    }

    fn decimal(&self, value: f64) -> String {
        let plain = super::value::show_number(value);
        let padding = self.mandatory.saturating_sub(plain.chars().count());
        let family = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(self.zero + digit)).unwrap_or(c);
        let mut digits: Vec<char> = std::iter::repeat_n('0', padding).chain(plain.chars()).map(family).collect();
        let length = digits.len();
        match self.regular {
            Some((distance, c)) => {
                for n in 1..=length.saturating_sub(1) / distance {
                    digits.insert(length - n * distance, c);
                }
            }
            None => {
                for (position, c) in &self.separators {
                    if *position < length {
                        digits.insert(length - position, *c);
                    }
                }
            }
        }
        let mut out: String = digits.iter().collect();
        if self.ordinal {
            let tens = plain.chars().rev().nth(1);
            out.push_str(match plain.chars().next_back() {
                Some('1') if tens != Some('1') => "st",
                Some('2') if tens != Some('1') => "nd",
                Some('3') if tens != Some('1') => "rd",
                _ => "th",
            });
        }
        out
    }

    /// Reads such a number; `None` if it is none.
    pub(super) fn read(&self, text: &str) -> Option<f64> {
        match self.primary {
            Primary::Letters => text.to_ascii_uppercase().bytes().try_fold(0.0, |sum, byte| {
                let letter = byte.checked_sub(b'A').filter(|n| *n < 26)?;
                Some(sum * 26.0 + f64::from(letter) + 1.0)
            }),
            Primary::Roman => Some(from_roman(text)),
            Primary::Words => words::number(&text.to_lowercase()),
            Primary::Decimal => {
                let body = if self.ordinal { text.get(..text.len().checked_sub(2)?)? } else { text };
                let separators = |c: char| self.separators.iter().any(|(_, separator)| *separator == c);
                let digit = |c: char| u32::from(c).checked_sub(self.zero).filter(|n| *n < 10);
                let mut digits = body.chars().filter(|c| !separators(*c)).map_while(digit).peekable();
                digits.peek()?;
                Some(digits.fold(0.0, |sum, digit| sum * 10.0 + f64::from(digit)))
            }
            Primary::Unknown => None,
        }
    }

    /// A regular expression for what [`Integer::read`] reads.
    pub(super) fn pattern(&self, width: Option<usize>) -> Result<String> {
        Ok(match self.primary {
            Primary::Letters => "[a-z]+".into(),
            Primary::Roman => "[mdclxvi]+".into(),
            Primary::Words => words::pattern(),
            Primary::Decimal => {
                let digits = match width {
                    Some(width) => format!("[0-9]{{{width}}}"),
                    None => "[0-9]+".into(),
                };
                if self.ordinal { format!("{digits}(?:th|st|nd|rd)") } else { digits }
            }
            Primary::Unknown => return Self::unsupported(),
        })
    }

    /// Whether its picture is one that can be read at all.
    pub(super) fn check(self) -> Result<Integer> {
        if matches!(self.primary, Primary::Unknown) { Self::unsupported() } else { Ok(self) }
    }
}

fn letters(mut value: f64, upper: bool) -> String {
    let first = if upper { b'A' } else { b'a' };
    let mut out = Vec::new();
    while value > 0.0 && out.len() < 400 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 26")]
        out.push(char::from(first + ((value - 1.0) % 26.0) as u8));
        value = ((value - 1.0) / 26.0).floor();
    }
    out.into_iter().rev().collect()
}

const ROMAN: [(f64, &str); 13] = [
    (1000.0, "m"),
    (900.0, "cm"),
    (500.0, "d"),
    (400.0, "cd"),
    (100.0, "c"),
    (90.0, "xc"),
    (50.0, "l"),
    (40.0, "xl"),
    (10.0, "x"),
    (9.0, "ix"),
    (5.0, "v"),
    (4.0, "iv"),
    (1.0, "i"),
];
/// The largest number written in Roman numerals.
const MOST_ROMAN: f64 = 100_000.0;

fn roman(mut value: f64) -> Result<String> {
    if value > MOST_ROMAN {
        return error("D3130", format!("numbers above {MOST_ROMAN} have no Roman numeral"));
    }
    let mut out = String::new();
    for (worth, numeral) in ROMAN {
        while value >= worth {
            out.push_str(numeral);
            value -= worth;
        }
    }
    Ok(out)
}

fn from_roman(text: &str) -> f64 {
    let worth = |c: char| match c.to_ascii_lowercase() {
        'm' => 1000.0,
        'd' => 500.0,
        'c' => 100.0,
        'l' => 50.0,
        'x' => 10.0,
        'v' => 5.0,
        'i' => 1.0,
        _ => 0.0,
    };
    let (mut sum, mut largest) = (0.0, 0.0);
    for value in text.chars().rev().map(worth) {
        if value < largest {
            sum -= value;
        } else {
            largest = value;
            sum += value;
        }
    }
    sum
}
