//! From text to tokens.

use super::error::{Result, error};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    End,
    Operator(&'static str),
    Name(Box<str>),
    Variable(Box<str>),
    String(Box<str>),
    Number(f64),
    True,
    False,
    Null,
    /// Pattern and flags.
    Regex(Box<str>, Box<str>),
}

/// Longer ones first.
const OPERATORS: [&str; 33] = [
    "..", ":=", "!=", ">=", "<=", "**", "~>", ".", "[", "]", "{", "}", "(", ")", ",", "@", "#", ";", ":", "?", "+",
    "-", "*", "/", "%", "|", "=", "<", ">", "^", "&", "!", "~",
];

pub(super) struct Lexer<'t> {
    rest: &'t str,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Lexer<'t> {
        Lexer { rest: text }
    }

    /// The next token; `infix` says that an operator may follow here, so that `/` divides.
    pub(super) fn next(&mut self, infix: bool) -> Result<Token> {
        self.skip()?;
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        if !infix && first == '/' {
            return self.regex();
        }
        if let Some(operator) = OPERATORS.iter().find(|operator| self.rest.starts_with(**operator)) {
            self.rest = self.rest.get(operator.len()..).unwrap_or_default();
            if matches!(*operator, "!" | "~") {
                return error("S0204", format!("Unknown operator: {operator}"));
            }
            return Ok(Token::Operator(operator));
        }
        match first {
            '"' | '\'' => self.string(first),
            '0'..='9' => self.number(),
            '`' => {
                let body = self.rest.get(1..).unwrap_or_default();
                match body.split_once('`') {
                    Some((name, rest)) => {
                        self.rest = rest;
                        Ok(Token::Name(name.into()))
                    }
                    None => error("S0105", "Quoted property name must be terminated with a backquote (`)"),
                }
            }
            _ => Ok(self.word()),
        }
    }

    fn skip(&mut self) -> Result<()> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}']);
            match self.rest.strip_prefix("/*") {
                None => return Ok(()),
                Some(comment) => match comment.split_once("*/") {
                    Some((_, rest)) => self.rest = rest,
                    None => return error("S0106", "Comment has no closing tag"),
                },
            }
        }
    }

    fn word(&mut self) -> Token {
        let is_end =
            |c: char| " \t\n\r\u{b}".contains(c) || OPERATORS.iter().any(|op| op.len() == 1 && op.starts_with(c));
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if let Some(name) = word.strip_prefix('$') {
            return Token::Variable(name.into());
        }
        match word {
            "and" => Token::Operator("and"),
            "or" => Token::Operator("or"),
            "in" => Token::Operator("in"),
            "true" => Token::True,
            "false" => Token::False,
            "null" => Token::Null,
            name => Token::Name(name.into()),
        }
    }

    fn number(&mut self) -> Result<Token> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
        let mut end = if bytes.first() == Some(&b'0') { 1 } else { digits(0) };
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > 0 {
                end += 1 + sign + exponent;
            }
        }
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Token::Number(number)),
            _ => error("S0102", format!("Number out of range: {text}")),
        }
    }

    fn string(&mut self, quote: char) -> Result<Token> {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                return Ok(Token::String(out.into()));
            }
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next().map(|(_, c)| c) {
                Some(c @ ('"' | '\'' | '\\' | '/')) => out.push(c),
                Some('b') => out.push('\u{8}'),
                Some('f') => out.push('\u{c}'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('u') => {
                    let mut unit = || {
                        let hex: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                        u32::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == 4 && !hex.starts_with('+'))
                    };
                    let Some(mut code) = unit() else {
                        return error("S0104", "The escape sequence \\u must be followed by 4 hex digits");
                    };
                    if (0xD800..0xDC00).contains(&code) {
                        let mut ahead = chars.clone();
                        let escaped =
                            ahead.next().is_some_and(|(_, c)| c == '\\') && ahead.next().is_some_and(|(_, c)| c == 'u');
                        if escaped {
                            let hex: String = ahead.by_ref().take(4).map(|(_, c)| c).collect();
                            if let Ok(low @ 0xDC00..=0xDFFF) = u32::from_str_radix(&hex, 16) {
                                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                                chars = ahead;
                            }
                        }
                    }
                    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Some(other) => return error("S0103", format!("Unsupported escape sequence: \\{other}")),
                None => break,
            }
        }
        error("S0101", "String literal must be terminated by a matching quote")
    }

    fn regex(&mut self) -> Result<Token> {
        let body = self.rest.get(1..).unwrap_or_default();
        let mut depth = 0i32;
        let mut escaped = false;
        let mut end = None;
        for (at, c) in body.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                '/' if depth <= 0 => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let Some(end) = end else {
            return error("S0302", "No terminating / in regular expression");
        };
        if end == 0 {
            return error("S0301", "Empty regular expressions are not allowed");
        }
        let (pattern, rest) = body.split_at(end);
        let rest = rest.get(1..).unwrap_or_default();
        let flags = rest.find(|c| c != 'i' && c != 'm').unwrap_or(rest.len());
        let (flags, rest) = rest.split_at(flags);
        self.rest = rest;
        Ok(Token::Regex(pattern.into(), flags.into()))
    }
}
