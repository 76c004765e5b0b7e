//! From the text of a path to its segments.

use super::filter;
use super::{Path, Segment, Syntax};

/// Compiles a whole path.
pub(super) fn path(text: &str) -> Result<Path, Syntax> {
    let text = text.trim();
    let body = match text.strip_prefix(['$', '@']) {
        Some(body) => body,
        None => text,
    };
    if body.len() == text.len() && !text.is_empty() && !text.starts_with(['.', '[']) {
        // Jayway reads `a.b` as `$.a.b`.
        return segments(&format!(".{text}"));
    }
    segments(body)
}

fn segments(body: &str) -> Result<Path, Syntax> {
    let mut segments = Vec::new();
    let mut rest = body;
    while let Some(first) = rest.chars().next() {
        match first {
            '.' => rest = after_dot(rest.get(1..).unwrap_or_default(), &mut segments)?,
            '[' => rest = bracket(rest, &mut segments)?,
            _ => return Err(Syntax(format!("`{rest}` cannot follow here; write `.` or `[` before it"))),
        }
    }
    let definite = is_definite(&segments);
    Ok(Path { segments, definite })
}

fn is_definite(segments: &[Segment]) -> bool {
    let last = segments.len().saturating_sub(1);
    segments.iter().enumerate().all(|(n, segment)| match segment {
        Segment::Key(_) | Segment::Index(_) | Segment::FromEnd(_) => true,
        Segment::Keys(_) => n == last,
        _ => false,
    })
}

fn after_dot<'t>(rest: &'t str, segments: &mut Vec<Segment>) -> Result<&'t str, Syntax> {
    if let Some(rest) = rest.strip_prefix('.') {
        if rest.is_empty() {
            return Err(Syntax("a path cannot end with `..`".into()));
        }
        segments.push(Segment::Scan);
        if rest.starts_with('[') { Ok(rest) } else { name(rest, segments) }
    } else if rest.starts_with('[') {
        Ok(rest)
    } else {
        name(rest, segments)
    }
}

fn name<'t>(rest: &'t str, segments: &mut Vec<Segment>) -> Result<&'t str, Syntax> {
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, tail) = rest.split_at(end);
    if name.is_empty() {
        return Err(Syntax("a name is missing after `.`".into()));
    }
    if name.contains(char::is_whitespace) {
        return Err(Syntax(format!("a name with a space needs brackets and quotes: `['{name}']`")));
    }
    segments.push(if name == "*" { Segment::Wildcard } else { Segment::Key(name.into()) });
    Ok(tail)
}

fn bracket<'t>(rest: &'t str, segments: &mut Vec<Segment>) -> Result<&'t str, Syntax> {
    let end = closing(rest).ok_or_else(|| Syntax(format!("`{rest}` has no closing `]`")))?;
    let inside = rest.get(1..end).unwrap_or_default().trim();
    let tail = rest.get(end + 1..).unwrap_or_default();
    segments.push(subscript(inside)?);
    Ok(tail)
}

/// Where the bracket that opens `text` closes: quotes, regular expressions and inner brackets are skipped.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if let Some(q) = quote {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == q {
                quote = None;
            }
            continue;
        }
        match c {
            '\'' => quote = Some(c),
            '[' | '(' => depth += 1,
            ']' | ')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn subscript(inside: &str) -> Result<Segment, Syntax> {
    if inside == "*" {
        return Ok(Segment::Wildcard);
    }
    if inside.starts_with('\'') {
        return names(inside);
    }
    if inside.starts_with('"') {
        return Err(Syntax(format!("`[{inside}]` needs single quotes: `['{}']`", inside.trim_matches('"'))));
    }
    if let Some(expression) = inside.strip_prefix('?') {
        let condition = expression.trim().strip_prefix('(').and_then(|e| e.strip_suffix(')'));
        let condition = condition.ok_or_else(|| Syntax(format!("a filter is written `[?(...)]`, not `[{inside}]`")))?;
        return Ok(Segment::Filter(Box::new(filter::parse(condition)?)));
    }
    if let Some(expression) = inside.strip_prefix('(').and_then(|e| e.strip_suffix(')')) {
        let from_end = expression.trim().strip_prefix("@.length").and_then(|e| e.trim().strip_prefix('-'));
        return match from_end.map(|n| n.trim().parse::<usize>()) {
            Some(Ok(n)) => Ok(Segment::FromEnd(n)),
            _ => Err(Syntax(format!("`[{inside}]` is not supported; only `[(@.length-N)]` is"))),
        };
    }
    numbers(inside)
}

fn names(inside: &str) -> Result<Segment, Syntax> {
    let mut keys: Vec<Box<str>> = Vec::new();
    let mut rest = inside;
    loop {
        let body = rest.strip_prefix('\'').ok_or_else(|| bad(inside))?;
        let mut end = None;
        let mut escaped = false;
        for (at, c) in body.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\'' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let end = end.ok_or_else(|| bad(inside))?;
        let (key, tail) = body.split_at(end);
        keys.push(key.into());
        rest = tail.get(1..).unwrap_or_default().trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => break,
            None => return Err(bad(inside)),
        }
    }
    Ok(match keys.pop() {
        Some(only) if keys.is_empty() => Segment::Key(only),
        Some(last) => {
            keys.push(last);
            Segment::Keys(keys)
        }
        None => return Err(bad(inside)),
    })
}

fn numbers(inside: &str) -> Result<Segment, Syntax> {
    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| bad(inside));
    if inside.contains(':') {
        // Jayway 2.0 ignores a step, but wants the two bounds before it.
        let mut parts = inside.split(':');
        let bounds: Vec<&str> = parts.by_ref().take(2).map(str::trim).collect();
        let step = parts.next();
        if parts.next().is_some() || (step.is_some() && bounds.iter().any(|b| b.is_empty())) {
            return Err(bad(inside));
        }
        if let Some(step) = step {
            number(step)?;
        }
        let bound = |n: usize| match bounds.get(n).copied() {
            None | Some("") => Ok(None),
            Some(text) => number(text).map(Some),
        };
        let (from, to) = (bound(0)?, bound(1)?);
        if from.is_none() && to.is_none() {
            return Err(bad(inside));
        }
        return Ok(Segment::Slice { from, to });
    }
    let mut indexes = inside.split(',').map(number).collect::<Result<Vec<i64>, Syntax>>()?;
    match (indexes.pop(), indexes.is_empty()) {
        (Some(only), true) => Ok(Segment::Index(only)),
        (Some(last), false) => {
            indexes.push(last);
            Ok(Segment::Indexes(indexes))
        }
        (None, _) => Err(bad(inside)),
    }
}

fn bad(inside: &str) -> Syntax {
    Syntax(format!("`[{inside}]` is neither an index, a slice, a quoted name, `*` nor a filter"))
}
