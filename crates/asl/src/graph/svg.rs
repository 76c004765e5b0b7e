//! The drawing itself. Colours are those of a light or a dark page, as the reader's system says.

use std::fmt::Write as _;

use super::layout::{Head, Segment, Size};
use super::{Kind, Line, Node, Scope, Way};

/// Around the drawing.
const MARGIN: f64 = 24.0;
/// Around what is inside a box, and above it.
const PADDING: f64 = 16.0;
const HEADER: f64 = 44.0;
/// Height of a state, and of a line of a label.
const STATE: f64 = 44.0;
const LINE: f64 = 13.0;
/// The least width of a state.
const LEAST: f64 = 110.0;
/// The width of a character, as a part of the size of the letters; wide enough for usual fonts.
const CHARACTER: f64 = 0.6;
const NAME: f64 = 13.0;
const SMALL: f64 = 11.0;

/// The size of start and end.
pub(super) const TERMINAL: Size = Size { width: 52.0, height: 24.0 };

const STYLE: &str = "\
svg{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;\
--page:#fff;--box:#fff;--inner:#f6f8fa;--text:#1f2328;--soft:#59636e;--line:#818b98;--edge:#59636e;--catch:#bc4c00;\
--Task:#0969da;--Choice:#8250df;--Wait:#9a6700;--Pass:#59636e;--Succeed:#1a7f37;--Fail:#cf222e;--Parallel:#1b7c83;--Map:#1b7c83}\
@media(prefers-color-scheme:dark){svg{--page:#0d1117;--box:#161b22;--inner:#1c2129;--text:#f0f6fc;--soft:#9198a1;\
--line:#656c76;--edge:#9198a1;--catch:#f0883e;--Task:#4493f8;--Choice:#ab7df8;--Wait:#d29922;--Pass:#9198a1;\
--Succeed:#3fb950;--Fail:#f85149;--Parallel:#39c5cf;--Map:#39c5cf}}\
.page{fill:var(--page)}.box{fill:var(--box);stroke:var(--line)}.inner{fill:var(--inner)}\
.name{fill:var(--text);font-size:13px;font-weight:600}.caption{fill:var(--soft);font-size:11px}\
.label{fill:var(--soft);font-size:11px}.label.catch{fill:var(--catch)}\
.plate{fill:var(--page);fill-opacity:.85}\
path{fill:none;stroke:var(--edge);stroke-width:1.3}path.catch{stroke:var(--catch);stroke-dasharray:4 3}\
.head{fill:var(--edge);stroke:none}.head.catch{fill:var(--catch)}\
.terminal{fill:var(--soft)}.terminal-name{fill:var(--page);font-size:11px;font-weight:600}";

/// The space that a label needs; nothing if there is none.
pub(super) fn label_size(lines: &[String]) -> Option<Size> {
    let longest = lines.iter().map(|line| line.chars().count()).max()?;
    Some(Size { width: width(longest, SMALL) + 8.0, height: count(lines.len()) * LINE + 4.0 })
}

#[expect(clippy::cast_precision_loss, reason = "texts and lists are short")]
fn count(n: usize) -> f64 {
    n as f64
}

fn width(characters: usize, size: f64) -> f64 {
    count(characters) * size * CHARACTER
}

/// The size of a state, and where in it its scopes are.
pub(super) fn node_size(name: &str, caption: &str, scopes: Vec<Scope>) -> (Size, Vec<(f64, f64, Scope)>) {
    let text = width(name.chars().count(), NAME).max(width(caption.chars().count(), SMALL)) + 30.0;
    let own = text.max(LEAST);
    if scopes.is_empty() {
        return (Size { width: own, height: STATE }, Vec::new());
    }
    let inner: f64 = scopes.iter().map(|scope| scope.placed.size.width + 3.0 * PADDING).sum::<f64>() + PADDING;
    let height = scopes.iter().map(|scope| scope.placed.size.height).fold(0.0, f64::max);
    let mut x = (own - inner).max(0.0) / 2.0 + PADDING;
    let mut inside = Vec::with_capacity(scopes.len());
    for scope in scopes {
        let step = scope.placed.size.width + 3.0 * PADDING;
        inside.push((x + PADDING, HEADER + PADDING, scope));
        x += step;
    }
    (Size { width: own.max(inner), height: HEADER + height + 3.0 * PADDING }, inside)
}

/// The whole document.
pub(super) fn document(scope: &Scope, title: &str, description: &str) -> String {
    let size = scope.placed.size;
    let (width, height) = (size.width + 2.0 * MARGIN, size.height + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"{0}\" height=\"{1}\" role=\"img\" \
         aria-labelledby=\"title description\">\n<title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n\
         <style>{STYLE}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n",
        round(width),
        round(height),
        escape(title),
        escape(description),
    );
    draw(&mut out, scope, MARGIN, MARGIN);
    out.push_str("</svg>\n");
    out
}

/// Draws a scope with its upper left corner there.
fn draw(out: &mut String, scope: &Scope, x: f64, y: f64) {
    for piece in &scope.placed.segments {
        segment(out, piece, x, y);
    }
    for (line, at) in scope.edges.iter().zip(&scope.placed.labels) {
        if let Some((label_x, label_y)) = at {
            label(out, line, scope, x + label_x, y + label_y);
        }
    }
    for (node, (node_x, node_y)) in scope.nodes.iter().zip(&scope.placed.nodes) {
        state(out, node, x + node_x - node.size.width / 2.0, y + node_y - node.size.height / 2.0);
    }
}

fn segment(out: &mut String, piece: &Segment, x: f64, y: f64) {
    let class = if piece.group == Way::Catch as usize { "catch" } else { "way" };
    let (from, to) = ((piece.from.0 + x, piece.from.1 + y), (piece.to.0 + x, piece.to.1 + y));
    let middle = f64::midpoint(from.1, to.1);
    // Writing to a `String` cannot fail.
    let _ = match (from.0 - to.0).abs() < 0.5 {
        true => writeln!(out, "<path class=\"{class}\" d=\"M{} {}V{}\"/>", round(from.0), round(from.1), round(to.1)),
        false => writeln!(
            out,
            "<path class=\"{class}\" d=\"M{} {}C{0} {m} {} {m} {2} {}\"/>",
            round(from.0),
            round(from.1),
            round(to.0),
            round(to.1),
            m = round(middle)
        ),
    };
    let (tip, away) = match piece.head {
        None => return,
        Some(Head::Down) => (to, -7.0),
        Some(Head::Up) => (from, 7.0),
    };
    let _ = writeln!(
        out,
        "<polygon class=\"head {class}\" points=\"{},{} {},{y} {},{y}\"/>",
        round(tip.0),
        round(tip.1),
        round(tip.0 - 4.0),
        round(tip.0 + 4.0),
        y = round(tip.1 + away),
    );
}

fn label(out: &mut String, line: &Line, scope: &Scope, x: f64, y: f64) {
    let Some(size) = label_size(&line.label) else { return };
    let class = if line.way == Way::Catch { "label catch" } else { "label" };
    let name = |node: usize| scope.nodes.get(node).map_or("", |node| node.name.as_str());
    let _ = writeln!(
        out,
        "<g><title>{} to {}: {}</title><rect class=\"plate\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
        escape(name(line.from)),
        escape(name(line.to)),
        escape(&line.title),
        round(x - size.width / 2.0),
        round(y - size.height / 2.0),
        round(size.width),
        round(size.height)
    );
    let first = y - size.height / 2.0 + LINE - 1.0;
    for (n, text) in line.label.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            round(x),
            round(first + count(n) * LINE),
            escape(text)
        );
    }
    out.push_str("</g>\n");
}

fn state(out: &mut String, node: &Node, x: f64, y: f64) {
    let (width, height) = (node.size.width, node.size.height);
    let Kind::State(kind) = &node.kind else {
        let _ = writeln!(
            out,
            "<g><rect class=\"terminal\" x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\" rx=\"12\"/>\
             <text class=\"terminal-name\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text></g>",
            round(x),
            round(y),
            round(x + width / 2.0),
            round(y + height / 2.0 + 4.0),
            node.name
        );
        return;
    };
    let comment = node.comment.as_deref().map(|comment| format!(": {comment}")).unwrap_or_default();
    let _ = writeln!(
        out,
        "<g class=\"state {kind}\" id=\"{}\"><title>{}</title>\
         <rect class=\"box\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\"/>\
         <rect x=\"{2}\" y=\"{3}\" width=\"5\" height=\"{5}\" rx=\"2\" fill=\"var(--{kind})\"/>",
        id(&node.name),
        escape(&format!("{} ({}){comment}", node.name, node.caption)),
        round(x),
        round(y),
        round(width),
        round(height),
    );
    let _ = writeln!(
        out,
        "<text class=\"name\" x=\"{}\" y=\"{}\">{}</text><text class=\"caption\" x=\"{0}\" y=\"{}\">{}</text>",
        round(x + 15.0),
        round(y + 19.0),
        escape(&node.name),
        round(y + 34.0),
        escape(&node.caption)
    );
    for (inner_x, inner_y, scope) in &node.inside {
        let size = scope.placed.size;
        let _ = writeln!(
            out,
            "<rect class=\"inner\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
            round(x + inner_x - PADDING),
            round(y + inner_y - PADDING),
            round(size.width + 2.0 * PADDING),
            round(size.height + 2.0 * PADDING)
        );
        draw(out, scope, x + inner_x, y + inner_y);
    }
    out.push_str("</g>\n");
}

/// A name as an identifier in XML.
fn id(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    format!("state-{}", name.chars().map(safe).collect::<String>())
}

/// A tenth of a pixel is enough.
fn round(value: f64) -> f64 {
    let rounded = (value * 10.0).round() / 10.0;
    // No `-0`.
    if rounded == 0.0 { 0.0 } else { rounded }
}

/// Text of XML; characters that XML cannot hold are replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c < ' ' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
