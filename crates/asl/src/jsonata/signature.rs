//! Signatures of functions, such as `<s-nn?:s>`: which arguments fit, and what stands in for missing ones.

use super::error::{Result, error};
use super::value::Val;

#[derive(Debug, Clone, Default)]
pub(super) struct Signature {
    parameters: Vec<Parameter>,
}

#[derive(Debug, Clone)]
struct Parameter {
    /// The symbols of the types that fit; `m` stands for a missing value.
    symbols: Box<str>,
    count: Count,
    /// `-`: the context stands in for a missing argument.
    context: bool,
    array: bool,
    /// The type of an array's elements.
    element: Option<char>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    One,
    Optional,
    Many,
}

/// Most parameters of a signature.
const PARAMETERS: usize = 64;

impl Signature {
    pub(super) fn parse(text: &str) -> Result<Signature> {
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut chars = text.chars().skip(1).peekable();
        let add = |parameters: &mut Vec<Parameter>, symbols: String, array: bool| {
            let symbols = symbols.into_boxed_str();
            parameters.push(Parameter { symbols, count: Count::One, context: false, array, element: None });
        };
        while let Some(c) = chars.next() {
            if parameters.len() > PARAMETERS {
                return error("S0402", "the signature has too many parameters");
            }
            match c {
                ':' | '>' => break,
                's' | 'n' | 'b' | 'l' | 'o' => add(&mut parameters, format!("{c}m"), false),
                'a' => add(&mut parameters, "asnblfom".into(), true),
                'f' => add(&mut parameters, "f".into(), false),
                'j' => add(&mut parameters, "asnblom".into(), false),
                'x' => add(&mut parameters, "asnblfom".into(), false),
                '(' => {
                    let mut choice = String::new();
                    let mut depth = 1;
                    for c in chars.by_ref() {
                        match c {
                            '(' => depth += 1,
                            ')' => depth -= 1,
                            '<' => {
                                return error(
                                    "S0402",
                                    "Choice groups containing parameterized types are not supported",
                                );
                            }
                            _ => {}
                        }
                        if depth == 0 {
                            break;
                        }
                        choice.push(c);
                    }
                    choice.push('m');
                    add(&mut parameters, choice, false);
                }
                '-' => {
                    if let Some(last) = parameters.last_mut() {
                        last.context = true;
                        last.count = Count::Optional;
                    }
                }
                '?' | '+' => {
                    if let Some(last) = parameters.last_mut() {
                        last.count = if c == '?' { Count::Optional } else { Count::Many };
                    }
                }
                '<' => {
                    let mut inner = String::new();
                    let mut depth = 1;
                    for c in chars.by_ref() {
                        match c {
                            '<' => depth += 1,
                            '>' => depth -= 1,
                            _ => {}
                        }
                        if depth == 0 {
                            break;
                        }
                        inner.push(c);
                    }
                    match parameters.last_mut() {
                        Some(last) if last.array => last.element = inner.chars().next(),
                        Some(last) if &*last.symbols == "f" => {}
                        _ => {
                            let message = "Type parameters can only be applied to functions and arrays";
                            return error("S0401", message);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(Signature { parameters })
    }

    /// Checks arguments and fills in what is missing.
    pub(super) fn validate<'a>(&self, arguments: Vec<Val<'a>>, context: &Val<'a>, name: &str) -> Result<Vec<Val<'a>>> {
        let given: Vec<char> = arguments.iter().map(Val::symbol).collect();
        let mut counts = vec![0usize; self.parameters.len()];
        let mut furthest = 0;
        if !fit(&self.parameters, &given, &mut counts, 0, &mut furthest) {
            let message = format!(
                "Argument {} of function {} does not match function signature",
                (furthest + 1).min(given.len().max(1)),
                if name.is_empty() { "\"\"".into() } else { format!("\"{name}\"") }
            );
            return error("T0410", message);
        }
        let mut out = Vec::with_capacity(self.parameters.len());
        let mut left = arguments.into_iter();
        let mut position = 0;
        for (parameter, count) in self.parameters.iter().zip(counts) {
            if count == 0 {
                // Nothing fits here: the context, or whatever comes next.
                if parameter.context {
                    let context = context.unwrapped();
                    if !parameter.symbols.contains(context.symbol()) {
                        let message = format!(
                            "Context value is not a compatible type with argument {} of function \"{name}\"",
                            position + 1
                        );
                        return error("T0411", message);
                    }
                    out.push(context);
                } else {
                    out.push(left.next().unwrap_or(Val::Undefined));
                    position += 1;
                }
                continue;
            }
            for _ in 0..count {
                let argument = left.next().unwrap_or(Val::Undefined);
                position += 1;
                out.push(if parameter.array { parameter.as_array(argument, position, name)? } else { argument });
            }
        }
        Ok(out)
    }
}

impl Parameter {
    fn as_array<'a>(&self, argument: Val<'a>, position: usize, name: &str) -> Result<Val<'a>> {
        if argument.is_undefined() {
            return Ok(argument);
        }
        let is_array = argument.is_array();
        if let Some(element) = self.element {
            let fits = if is_array {
                match argument.get(0) {
                    None => true,
                    Some(first) => {
                        first.symbol() == element
                            && (0..argument.len()).all(|n| argument.get(n).is_some_and(|item| item.symbol() == element))
                    }
                }
            } else {
                argument.symbol() == element
            };
            if !fits {
                let message = format!(
                    "Argument {position} of function \"{name}\" must be an array of {}",
                    match element {
                        's' => "strings",
                        'n' => "numbers",
                        'b' => "booleans",
                        'o' => "objects",
                        'f' => "functions",
                        _ => "arrays",
                    }
                );
                return error("T0412", message);
            }
        }
        Ok(if is_array { argument } else { Val::array(vec![argument]) })
    }
}

/// Assigns to each parameter as many arguments as it can take, greedily, giving back where the rest would not fit.
fn fit(parameters: &[Parameter], given: &[char], counts: &mut [usize], at: usize, furthest: &mut usize) -> bool {
    *furthest = (*furthest).max(at);
    let (Some((parameter, rest)), Some((count, counts))) = (parameters.split_first(), counts.split_first_mut()) else {
        return at == given.len();
    };
    let fitting = given.iter().skip(at).take_while(|symbol| parameter.symbols.contains(**symbol)).count();
    let (least, most) = match parameter.count {
        Count::One => (1, 1),
        Count::Optional => (0, 1),
        Count::Many => (1, usize::MAX),
    };
    let mut n = fitting.min(most);
    loop {
        if n < least {
            return false;
        }
        *count = n;
        if fit(rest, given, counts, at + n, furthest) {
            return true;
        }
        if n == 0 {
            return false;
        }
        n -= 1;
    }
}
