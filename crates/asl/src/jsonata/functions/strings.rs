//! Texts and regular expressions. Positions count characters.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;

use super::super::call::shared;
use super::super::error::{Result, error};
use super::super::evaluate::Evaluator;
use super::super::value::{Function, Text, Val, show_number};
use super::{argument, bad, counted, index, num, text};

/// A new text, of whose bytes account is taken.
fn made<'a>(evaluator: &mut Evaluator<'a>, text: String) -> Result<Val<'a>> {
    evaluator.hold_bytes(text.len())?;
    Ok(Val::text(text))
}

pub(super) fn string<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let value = argument(arguments, 0);
    match value {
        Val::Undefined => Ok(Val::Undefined),
        Val::String(_) => Ok(value.clone()),
        _ if matches!(argument(arguments, 1), Val::Bool(true)) && (value.is_array() || value.is_object()) => {
            let mut out = String::new();
            evaluator.write(value, Some(2), 0, &mut out)?;
            made(evaluator, out)
        }
        _ => {
            let out = evaluator.string_of(value)?;
            made(evaluator, out)
        }
    }
}

pub(super) fn substring<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(whole) = text(arguments, 0) else { return Ok(Val::Undefined) };
    let count = whole.chars().count();
    let Some(start) = num(arguments, 1) else { return Ok(argument(arguments, 0).clone()) };
    #[expect(clippy::cast_precision_loss, reason = "texts are shorter than that")]
    let length = count as f64;
    let start = if start < 0.0 { (length + start.trunc()).max(0.0) } else { start.trunc() };
    let taken = match num(arguments, 2) {
        None => count,
        Some(n) if n <= 0.0 => return Ok(Val::text("")),
        Some(n) => index((start + n).trunc()).saturating_sub(index(start)),
    };
    let out = whole.chars().skip(index(start)).take(taken).collect();
    made(evaluator, out)
}

pub(super) fn substring_before<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(whole) = text(arguments, 0) else { return Ok(Val::Undefined) };
    match text(arguments, 1).and_then(|part| whole.split_once(part)) {
        Some((before, _)) => made(evaluator, before.to_owned()),
        None => Ok(argument(arguments, 0).clone()),
    }
}

pub(super) fn substring_after<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(whole) = text(arguments, 0) else { return Ok(Val::Undefined) };
    match text(arguments, 1).and_then(|part| whole.split_once(part)) {
        Some((_, after)) => made(evaluator, after.to_owned()),
        None => Ok(argument(arguments, 0).clone()),
    }
}

pub(super) fn lowercase<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    mapped(evaluator, arguments, |text| text.to_lowercase())
}

pub(super) fn uppercase<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    mapped(evaluator, arguments, |text| text.to_uppercase())
}

fn mapped<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>], map: fn(&str) -> String) -> Result<Val<'a>> {
    match text(arguments, 0) {
        Some(text) => made(evaluator, map(text)),
        None => Ok(Val::Undefined),
    }
}

pub(super) fn length<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(text) = text(arguments, 0) else { return Ok(Val::Undefined) };
    evaluator.work(text.len() / 64)?;
    Ok(counted(text.chars().count()))
}

pub(super) fn trim<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    mapped(evaluator, arguments, |text| {
        let words: Vec<&str> = text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()).collect();
        words.join(" ")
    })
}

pub(super) fn pad<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (Some(whole), Some(width)) = (text(arguments, 0), num(arguments, 1)) else { return Ok(Val::Undefined) };
    let filler = text(arguments, 2).filter(|filler| !filler.is_empty()).unwrap_or(" ");
    let missing = index(width.abs()).saturating_sub(whole.chars().count());
    if missing == 0 {
        return Ok(argument(arguments, 0).clone());
    }
    evaluator.hold_bytes(missing)?;
    let padding: String = filler.chars().cycle().take(missing).collect();
    made(evaluator, if width > 0.0 { format!("{whole}{padding}") } else { format!("{padding}{whole}") })
}

/// One match of a regular expression, or of a function that acts as one.
struct Match<'a> {
    matched: Text<'a>,
    start: usize,
    /// In bytes, for texts that our own engine searched; else in characters.
    end: usize,
    groups: Vec<Val<'a>>,
}

/// The matches of `pattern` in `text`, at most `most`; positions are in bytes.
fn matches<'a>(evaluator: &mut Evaluator<'a>, pattern: &Val<'a>, text: &str, most: usize) -> Result<Vec<Match<'a>>> {
    let Val::Function(function) = pattern else { return Ok(Vec::new()) };
    evaluator.work(text.len() / 8)?;
    let mut out = Vec::new();
    if let Function::Regex(regex) = &**function {
        let mut from = 0;
        while out.len() < most
            && let Some(found) = search(evaluator, regex, text, from)?
        {
            from = found.end;
            out.push(found);
        }
        return Ok(out);
    }
    let mut found = evaluator.apply(pattern, vec![Val::String(shared(text))], &Val::Undefined, "")?;
    while !found.is_undefined() && out.len() < most {
        out.push(custom(&found, text)?);
        let next = found.field("next");
        if !next.is_function() {
            return error("T1010", NO_MATCHER);
        }
        found = evaluator.apply(&next, Vec::new(), &Val::Undefined, "")?;
    }
    Ok(out)
}

const NO_MATCHER: &str =
    "The matcher function argument passed to function does not return the correct object structure";

/// What a matcher of the user's own returned.
fn custom<'a>(found: &Val<'a>, text: &str) -> Result<Match<'a>> {
    let (Some(start), Some(end)) = (found.field("start").number(), found.field("end").number()) else {
        return error("T1010", NO_MATCHER);
    };
    let (Val::String(matched), groups) = (found.field("match"), found.field("groups")) else {
        return error("T1010", NO_MATCHER);
    };
    if !groups.is_array() {
        return error("T1010", NO_MATCHER);
    }
    let byte = |at: f64| text.char_indices().nth(index(at)).map_or(text.len(), |(byte, _)| byte);
    let start = byte(start);
    Ok(Match { matched, start, end: byte(end).max(start), groups: groups.items() })
}

fn search<'a>(
    evaluator: &mut Evaluator<'a>,
    regex: &regex_lite::Regex,
    text: &str,
    from: usize,
) -> Result<Option<Match<'a>>> {
    evaluator.work(1 + text.len().saturating_sub(from) / 8)?;
    let Some(captures) = regex.captures_at(text, from) else { return Ok(None) };
    let Some(whole) = captures.get(0) else { return Ok(None) };
    if whole.as_str().is_empty() {
        return error("D1004", "Regular expression matches zero length string");
    }
    let group = |n| captures.get(n).map_or(Val::Undefined, |group| Val::text(group.as_str()));
    let groups = (1..captures.len()).map(group).collect::<Vec<_>>();
    evaluator.hold(groups.len() + 2)?;
    Ok(Some(Match { matched: shared(whole.as_str()), start: whole.start(), end: whole.end(), groups }))
}

/// The next match of a regular expression that is called as a function.
pub(in super::super) fn next_match<'a>(
    evaluator: &mut Evaluator<'a>,
    regex: &'a regex_lite::Regex,
    text: Text<'a>,
    from: usize,
) -> Result<Val<'a>> {
    if from > text.len() {
        return Ok(Val::Undefined);
    }
    let Some(found) = search(evaluator, regex, &text, from)? else { return Ok(Val::Undefined) };
    let chars = |byte: usize| counted(text.get(..byte).unwrap_or_default().chars().count());
    let mut map = IndexMap::new();
    map.insert(Text::Borrowed("match"), Val::String(found.matched));
    map.insert(Text::Borrowed("start"), chars(found.start));
    map.insert(Text::Borrowed("end"), chars(found.end));
    map.insert(Text::Borrowed("groups"), Val::array(found.groups));
    let from = if found.end >= text.len() { text.len() + 1 } else { found.end };
    map.insert(Text::Borrowed("next"), Val::function(Function::Next { regex, text, from }));
    Ok(Val::object(map))
}

pub(super) fn match_<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(whole) = text(arguments, 0) else { return Ok(Val::Undefined) };
    let most = match num(arguments, 2) {
        Some(n) if n < 0.0 => {
            return bad("D3040", "Third argument of match function must evaluate to a positive number");
        }
        Some(n) => index(n),
        None => usize::MAX,
    };
    let found = matches(evaluator, argument(arguments, 1), whole, most)?;
    let mut out = Vec::with_capacity(found.len());
    for one in found {
        let mut map = IndexMap::new();
        map.insert(Text::Borrowed("match"), Val::String(one.matched));
        map.insert(Text::Borrowed("index"), counted(whole.get(..one.start).unwrap_or_default().chars().count()));
        map.insert(Text::Borrowed("groups"), Val::array(one.groups));
        evaluator.hold(4)?;
        out.push(Val::object(map));
    }
    Ok(Val::sequence(out))
}

pub(super) fn contains<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(whole) = text(arguments, 0) else { return Ok(Val::Undefined) };
    evaluator.work(whole.len() / 16)?;
    Ok(Val::Bool(match argument(arguments, 1) {
        Val::String(part) => whole.contains(&**part),
        pattern => !matches(evaluator, pattern, whole, 1)?.is_empty(),
    }))
}

pub(super) fn split<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(whole) = text(arguments, 0) else { return Ok(Val::Undefined) };
    let most = match num(arguments, 2) {
        Some(n) if n < 0.0 => {
            return bad("D3020", "Third argument of split function must evaluate to a positive number");
        }
        Some(n) => index(n),
        None => usize::MAX,
    };
    evaluator.hold_bytes(whole.len())?;
    let parts: Vec<Val<'a>> = match argument(arguments, 1) {
        Val::Undefined => return Ok(Val::array(vec![argument(arguments, 0).clone()])),
        Val::String(separator) if separator.is_empty() => {
            whole.chars().take(most).map(|c| Val::text(c.to_string())).collect()
        }
        Val::String(separator) => whole.split(&**separator).take(most).map(Val::text).collect(),
        pattern => {
            let mut parts = Vec::new();
            let mut from = 0;
            for found in matches(evaluator, pattern, whole, most)? {
                parts.push(Val::text(whole.get(from..found.start).unwrap_or_default()));
                from = found.end;
            }
            if parts.len() < most {
                parts.push(Val::text(whole.get(from..).unwrap_or_default()));
            }
            parts
        }
    };
    evaluator.hold(parts.len())?;
    Ok(Val::array(parts))
}

pub(super) fn join<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let parts = argument(arguments, 0);
    if parts.is_undefined() {
        return Ok(Val::Undefined);
    }
    let separator = text(arguments, 1).unwrap_or_default();
    let mut out = String::new();
    for (n, part) in parts.items().into_iter().enumerate() {
        let part = part.str().unwrap_or_default();
        evaluator.hold_bytes(part.len() + separator.len())?;
        if n > 0 {
            out.push_str(separator);
        }
        out.push_str(part);
    }
    Ok(Val::text(out))
}

pub(super) fn replace<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(whole) = text(arguments, 0) else { return Ok(Val::Undefined) };
    let (pattern, replacement) = (argument(arguments, 1), argument(arguments, 2));
    if pattern.str() == Some("") {
        return bad("D3010", "Second argument of replace function cannot be an empty string");
    }
    let most = match num(arguments, 3) {
        Some(n) if n < 0.0 => {
            return bad("D3011", "Fourth argument of replace function must evaluate to a positive number");
        }
        Some(n) => index(n),
        None => usize::MAX,
    };
    if pattern.is_undefined() || replacement.is_undefined() && !pattern.is_function() {
        return Ok(argument(arguments, 0).clone());
    }
    let mut out = String::new();
    let mut from = 0;
    if let Val::String(pattern) = pattern {
        for (n, (at, found)) in whole.match_indices(&**pattern).enumerate() {
            if n >= most {
                break;
            }
            out.push_str(whole.get(from..at).unwrap_or_default());
            let new = match replacement {
                Val::String(new) => Cow::Borrowed(&**new),
                function => Cow::Owned(replaced(evaluator, function, simple(found, at, whole))?),
            };
            out.push_str(&new);
            from = at + found.len();
            evaluator.hold_bytes(new.len() + 1)?;
        }
    } else {
        for found in matches(evaluator, pattern, whole, most)? {
            out.push_str(whole.get(from..found.start).unwrap_or_default());
            from = found.end;
            let before = out.len();
            match replacement {
                Val::String(template) => fill(template, &found, &mut out),
                function => {
                    let mut map = IndexMap::new();
                    let chars = |byte: usize| counted(whole.get(..byte).unwrap_or_default().chars().count());
                    map.insert(Text::Borrowed("match"), Val::String(found.matched.clone()));
                    map.insert(Text::Borrowed("start"), chars(found.start));
                    map.insert(Text::Borrowed("end"), chars(found.end));
                    map.insert(Text::Borrowed("groups"), Val::array(found.groups.clone()));
                    out.push_str(&replaced(evaluator, function, Val::object(map))?);
                }
            }
            evaluator.hold_bytes(out.len() - before)?;
        }
    }
    out.push_str(whole.get(from..).unwrap_or_default());
    made(evaluator, out)
}

fn simple<'a>(found: &str, at: usize, whole: &str) -> Val<'a> {
    let start = whole.get(..at).unwrap_or_default().chars().count();
    let mut map = IndexMap::new();
    map.insert(Text::Borrowed("match"), Val::text(found));
    map.insert(Text::Borrowed("start"), counted(start));
    map.insert(Text::Borrowed("end"), counted(start + found.chars().count()));
    map.insert(Text::Borrowed("groups"), Val::array(Vec::new()));
    Val::object(map)
}

fn replaced<'a>(evaluator: &mut Evaluator<'a>, function: &Val<'a>, found: Val<'a>) -> Result<String> {
    match evaluator.apply(function, vec![found], &Val::Undefined, "")? {
        Val::String(text) => Ok(String::from(&*text)),
        other => error(
            "D3012",
            format!("Attempted to replace a matched string with a non-string value: {}", evaluator.brief(&other)),
        ),
    }
}

/// A replacement with `$0` for the match, `$n` for its groups and `$$` for a dollar sign.
fn fill(template: &str, found: &Match<'_>, out: &mut String) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            out.push('$');
            continue;
        }
        if after.starts_with('0') {
            out.push_str(&found.matched);
            rest = after.get(1..).unwrap_or_default();
            continue;
        }
        // As many digits as there are groups to name, then fewer.
        let most = show_number(counted_f(found.groups.len())).len().min(digits);
        let number = |n: usize| after.get(..n).and_then(|text| text.parse::<usize>().ok());
        let mut used = most.max(1);
        while used > 1 && number(used).is_some_and(|n| n > found.groups.len()) {
            used -= 1;
        }
        if !found.groups.is_empty()
            && let Some(Val::String(group)) = number(used).and_then(|n| found.groups.get(n.checked_sub(1)?))
        {
            out.push_str(group);
        }
        rest = after.get(used..).unwrap_or_default();
    }
    out.push_str(rest);
}

fn counted_f(n: usize) -> f64 {
    match counted(n) {
        Val::Number(n) => n,
        _ => 0.0,
    }
}

pub(super) fn base64_encode<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    mapped(evaluator, arguments, |text| STANDARD.encode(text))
}

pub(super) fn base64_decode<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(text) = text(arguments, 0) else { return Ok(Val::Undefined) };
    match STANDARD.decode(text) {
        Ok(bytes) => made(evaluator, String::from_utf8_lossy(&bytes).into_owned()),
        Err(_) => bad("D3001", "The text is not Base64"),
    }
}

/// What a component of an address may hold unescaped, beside letters and digits.
const COMPONENT: &str = "-_.!~*'()";
/// What a whole address may hold unescaped as well.
const ADDRESS: &str = "-_.!~*'();/?:@&=+$,#";

pub(super) fn encode_url<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    mapped(evaluator, arguments, |text| escape(text, ADDRESS))
}

pub(super) fn encode_url_component<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    mapped(evaluator, arguments, |text| escape(text, COMPONENT))
}

fn escape(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || kept.contains(c) {
            out.push(c);
            continue;
        }
        let mut buffer = [0; 4];
        for byte in c.encode_utf8(&mut buffer).bytes() {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

pub(super) fn decode_url<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    decode(evaluator, arguments, ";/?:@&=+$,#", "decodeUrl")
}

pub(super) fn decode_url_component<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    decode(evaluator, arguments, "", "decodeUrlComponent")
}

fn decode<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>], kept: &str, name: &str) -> Result<Val<'a>> {
    let Some(text) = text(arguments, 0) else { return Ok(Val::Undefined) };
    let malformed = || bad("D3140", format!("Malformed URL passed to ${name}(): \"{text}\""));
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let hex: String = bytes.by_ref().take(2).map(char::from).collect();
        let Some(byte) = u8::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == 2 && !hex.starts_with('+')) else {
            return malformed();
        };
        if kept.contains(char::from(byte)) && byte.is_ascii() {
            out.extend(format!("%{hex}").bytes());
        } else {
            out.push(byte);
        }
    }
    match String::from_utf8(out) {
        Ok(text) => made(evaluator, text),
        Err(_) => malformed(),
    }
}
