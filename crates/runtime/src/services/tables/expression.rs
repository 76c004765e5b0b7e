//! DynamoDB's expressions: conditions, updates and projections, parsed ("Expressions" in the DynamoDB developer guide).

use std::collections::BTreeSet;

use serde_json::Value;

use super::value::Attribute;

/// The longest expression, in bytes.
const MAX_BYTES: usize = 4_096;
/// Deepest nesting of parentheses and `NOT`.
const MAX_DEPTH: usize = 64;

/// Where an attribute is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    pub(super) first: String,
    pub(super) rest: Vec<Step>,
}

/// A step into a map or a list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Field(String),
    Index(usize),
}

/// What is compared or computed with.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Path(Path),
    Value(Attribute),
    Size(Path),
}

/// A condition.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Or(Box<Condition>, Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Compare(Operand, Comparison, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    NotExists(Path),
    Type(Path, Operand),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What an attribute is set to.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Operand(Operand),
    IfNotExists(Path, Box<Source>),
    ListAppend(Box<Source>, Box<Source>),
    Plus(Box<Source>, Box<Source>),
    Minus(Box<Source>, Box<Source>),
}

/// A change of an item.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Set(Path, Source),
    Remove(Path),
    Add(Path, Attribute),
    Delete(Path, Attribute),
}

impl Change {
    pub(super) fn path(&self) -> &Path {
        match self {
            Change::Set(path, _) | Change::Remove(path) | Change::Add(path, _) | Change::Delete(path, _) => path,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Name(String),
    Value(String),
    Number(usize),
    Sign(&'static str),
}

const SIGNS: [&str; 14] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "+", "-"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("Expression size has exceeded the maximum allowed size of {MAX_BYTES} bytes"));
    }
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |from: usize| {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let tail = rest.get(from..).unwrap_or_default();
            from + tail.find(|c| !is_word(c)).unwrap_or(tail.len())
        };
        let end = match first {
            '#' | ':' => {
                let end = word(1);
                let name = rest.get(..end).unwrap_or_default().to_owned();
                out.push(if first == '#' { Token::Name(name) } else { Token::Value(name) });
                end
            }
            '0'..='9' => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let digits = rest.get(..end).unwrap_or_default();
                out.push(Token::Number(digits.parse().map_err(|_| format!("`{digits}` is no index"))?));
                end
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end = word(0);
                out.push(Token::Word(rest.get(..end).unwrap_or_default().to_owned()));
                end
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| format!("Syntax error; token: \"{first}\""))?;
                out.push(Token::Sign(sign));
                sign.len()
            }
        };
        rest = rest.get(end..).unwrap_or_default().trim_start();
    }
    Ok(out)
}

/// What `#name` and `:value` stand for, and which of them were used.
pub(super) struct Placeholders<'v> {
    names: Option<&'v Value>,
    values: Option<&'v Value>,
    used: BTreeSet<String>,
}

impl<'v> Placeholders<'v> {
    pub(super) fn new(names: Option<&'v Value>, values: Option<&'v Value>) -> Placeholders<'v> {
        Placeholders { names, values, used: BTreeSet::new() }
    }

    fn name(&mut self, placeholder: &str) -> Result<String, String> {
        self.used.insert(placeholder.to_owned());
        let name = self.names.and_then(|names| names.get(placeholder)).and_then(Value::as_str);
        name.map(str::to_owned).ok_or_else(|| {
            format!(
                "An expression attribute name used in the document path is not defined; attribute name: {placeholder}"
            )
        })
    }

    fn value(&mut self, placeholder: &str) -> Result<Attribute, String> {
        self.used.insert(placeholder.to_owned());
        let value = self.values.and_then(|values| values.get(placeholder)).ok_or_else(|| {
            format!("An expression attribute value used in expression is not defined; attribute value: {placeholder}")
        })?;
        Attribute::parse(value).map_err(|problem| {
            format!("ExpressionAttributeValues contains invalid value: {problem} for key {placeholder}")
        })
    }

    /// Whether everything was used.
    ///
    /// # Errors
    /// The placeholders that were not.
    pub(super) fn check(&self) -> Result<(), String> {
        for (field, given) in [("ExpressionAttributeNames", self.names), ("ExpressionAttributeValues", self.values)] {
            let unused = given.and_then(Value::as_object).into_iter().flat_map(|given| given.keys());
            let unused: Vec<&str> = unused.filter(|key| !self.used.contains(*key)).map(String::as_str).collect();
            if !unused.is_empty() {
                return Err(format!(
                    "Value provided in {field} unused in expressions: keys: {{{}}}",
                    unused.join(", ")
                ));
            }
        }
        Ok(())
    }
}

struct Parser<'p, 'v> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    placeholders: &'p mut Placeholders<'v>,
    depth: usize,
}

/// Parses a condition.
///
/// # Errors
/// What is wrong with it.
pub(super) fn condition(text: &str, placeholders: &mut Placeholders<'_>) -> Result<Condition, String> {
    let mut parser = Parser::new(text, placeholders)?;
    let condition = parser.or()?;
    parser.end(condition)
}

/// Parses an update.
///
/// # Errors
/// What is wrong with it.
pub(super) fn update(text: &str, placeholders: &mut Placeholders<'_>) -> Result<Vec<Change>, String> {
    let mut parser = Parser::new(text, placeholders)?;
    let mut changes = Vec::new();
    let mut clauses = BTreeSet::new();
    while let Some(Token::Word(word)) = parser.tokens.next() {
        let clause = word.to_ascii_uppercase();
        if !clauses.insert(clause.clone()) {
            return Err(format!("The \"{clause}\" section can only be used once in an update expression"));
        }
        loop {
            changes.push(parser.change(&clause)?);
            if !parser.takes_sign(",") {
                break;
            }
        }
    }
    let changes = parser.end(changes)?;
    match changes.is_empty() {
        true => Err("The expression can not be empty".into()),
        false => Ok(changes),
    }
}

/// Parses a projection.
///
/// # Errors
/// What is wrong with it.
pub(super) fn projection(text: &str, placeholders: &mut Placeholders<'_>) -> Result<Vec<Path>, String> {
    let mut parser = Parser::new(text, placeholders)?;
    let mut paths = vec![parser.path()?];
    while parser.takes_sign(",") {
        paths.push(parser.path()?);
    }
    parser.end(paths)
}

impl<'p, 'v> Parser<'p, 'v> {
    fn new(text: &str, placeholders: &'p mut Placeholders<'v>) -> Result<Parser<'p, 'v>, String> {
        Ok(Parser { tokens: tokens(text)?.into_iter().peekable(), placeholders, depth: 0 })
    }

    fn end<T>(mut self, parsed: T) -> Result<T, String> {
        match self.tokens.next() {
            None => Ok(parsed),
            Some(token) => Err(unexpected(Some(&token))),
        }
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Sign(s) if *s == sign)).is_some()
    }

    fn sign(&mut self, sign: &str) -> Result<(), String> {
        match self.takes_sign(sign) {
            true => Ok(()),
            false => Err(unexpected(self.tokens.peek())),
        }
    }

    fn takes_word(&mut self, wanted: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(w) if w.eq_ignore_ascii_case(wanted))).is_some()
    }

    fn or(&mut self) -> Result<Condition, String> {
        let mut left = self.and()?;
        while self.takes_word("OR") {
            left = Condition::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Condition, String> {
        let mut left = self.not()?;
        while self.takes_word("AND") {
            left = Condition::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("The expression is nested too deeply".into());
        }
        let condition = match self.takes_word("NOT") {
            true => Condition::Not(Box::new(self.not()?)),
            false if self.takes_sign("(") => {
                let inner = self.or()?;
                self.sign(")")?;
                inner
            }
            false => self.test()?,
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn test(&mut self) -> Result<Condition, String> {
        if let Some(Token::Word(word)) = self.tokens.peek().cloned() {
            let function = ["attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"];
            if function.contains(&word.as_str()) {
                self.tokens.next();
                return self.function(&word);
            }
        }
        let left = self.operand()?;
        if self.takes_word("BETWEEN") {
            let low = self.operand()?;
            if !self.takes_word("AND") {
                return Err(unexpected(self.tokens.peek()));
            }
            return Ok(Condition::Between(left, low, self.operand()?));
        }
        if self.takes_word("IN") {
            self.sign("(")?;
            let mut items = vec![self.operand()?];
            while self.takes_sign(",") {
                items.push(self.operand()?);
            }
            self.sign(")")?;
            return Ok(Condition::In(left, items));
        }
        let comparison = match self.tokens.next() {
            Some(Token::Sign("=")) => Comparison::Equal,
            Some(Token::Sign("<>")) => Comparison::NotEqual,
            Some(Token::Sign("<")) => Comparison::Less,
            Some(Token::Sign("<=")) => Comparison::LessOrEqual,
            Some(Token::Sign(">")) => Comparison::Greater,
            Some(Token::Sign(">=")) => Comparison::GreaterOrEqual,
            other => return Err(unexpected(other.as_ref())),
        };
        Ok(Condition::Compare(left, comparison, self.operand()?))
    }

    fn function(&mut self, name: &str) -> Result<Condition, String> {
        self.sign("(")?;
        let condition = match name {
            "attribute_exists" => Condition::Exists(self.path()?),
            "attribute_not_exists" => Condition::NotExists(self.path()?),
            "attribute_type" => {
                let path = self.path()?;
                self.sign(",")?;
                Condition::Type(path, self.operand()?)
            }
            _ => {
                let left = self.operand()?;
                self.sign(",")?;
                let right = self.operand()?;
                if name == "contains" { Condition::Contains(left, right) } else { Condition::BeginsWith(left, right) }
            }
        };
        self.sign(")")?;
        Ok(condition)
    }

    fn operand(&mut self) -> Result<Operand, String> {
        if let Some(Token::Value(_)) = self.tokens.peek() {
            return Ok(Operand::Value(self.value()?));
        }
        let path = self.path()?;
        if path.first == "size" && path.rest.is_empty() && self.takes_sign("(") {
            let path = self.path()?;
            self.sign(")")?;
            return Ok(Operand::Size(path));
        }
        Ok(Operand::Path(path))
    }

    fn value(&mut self) -> Result<Attribute, String> {
        match self.tokens.next() {
            Some(Token::Value(placeholder)) => self.placeholders.value(&placeholder),
            other => Err(unexpected(other.as_ref())),
        }
    }

    fn field(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Word(name)) => Ok(name),
            Some(Token::Name(placeholder)) => self.placeholders.name(&placeholder),
            other => Err(unexpected(other.as_ref())),
        }
    }

    fn path(&mut self) -> Result<Path, String> {
        let first = self.field()?;
        let mut rest = Vec::new();
        loop {
            if self.takes_sign(".") {
                rest.push(Step::Field(self.field()?));
            } else if self.takes_sign("[") {
                match self.tokens.next() {
                    Some(Token::Number(at)) => rest.push(Step::Index(at)),
                    other => return Err(unexpected(other.as_ref())),
                }
                self.sign("]")?;
            } else {
                return Ok(Path { first, rest });
            }
            if rest.len() > MAX_DEPTH {
                return Err("The document path has too many nesting elements".into());
            }
        }
    }

    fn change(&mut self, clause: &str) -> Result<Change, String> {
        match clause {
            "SET" => {
                let path = self.path()?;
                self.sign("=")?;
                Ok(Change::Set(path, self.source()?))
            }
            "REMOVE" => Ok(Change::Remove(self.path()?)),
            "ADD" => {
                let path = self.path()?;
                Ok(Change::Add(path, self.value()?))
            }
            "DELETE" => {
                let path = self.path()?;
                Ok(Change::Delete(path, self.value()?))
            }
            other => Err(format!("Syntax error; token: \"{other}\"")),
        }
    }

    fn source(&mut self) -> Result<Source, String> {
        let left = self.source_operand()?;
        if self.takes_sign("+") {
            return Ok(Source::Plus(Box::new(left), Box::new(self.source_operand()?)));
        }
        if self.takes_sign("-") {
            return Ok(Source::Minus(Box::new(left), Box::new(self.source_operand()?)));
        }
        Ok(left)
    }

    fn source_operand(&mut self) -> Result<Source, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("The expression is nested too deeply".into());
        }
        let source = self.source_inside();
        self.depth -= 1;
        source
    }

    fn source_inside(&mut self) -> Result<Source, String> {
        if let Some(Token::Value(_)) = self.tokens.peek() {
            return Ok(Source::Operand(Operand::Value(self.value()?)));
        }
        let path = self.path()?;
        let function = if path.rest.is_empty() { path.first.as_str() } else { "" };
        match function {
            "if_not_exists" if self.takes_sign("(") => {
                let path = self.path()?;
                self.sign(",")?;
                let otherwise = self.source_operand()?;
                self.sign(")")?;
                Ok(Source::IfNotExists(path, Box::new(otherwise)))
            }
            "list_append" if self.takes_sign("(") => {
                let first = self.source_operand()?;
                self.sign(",")?;
                let second = self.source_operand()?;
                self.sign(")")?;
                Ok(Source::ListAppend(Box::new(first), Box::new(second)))
            }
            _ => Ok(Source::Operand(Operand::Path(path))),
        }
    }
}

fn unexpected(token: Option<&Token>) -> String {
    match token {
        None => "Syntax error; token: \"<EOF>\"".into(),
        Some(Token::Word(text) | Token::Name(text) | Token::Value(text)) => format!("Syntax error; token: \"{text}\""),
        Some(Token::Number(n)) => format!("Syntax error; token: \"{n}\""),
        Some(Token::Sign(sign)) => format!("Syntax error; token: \"{sign}\""),
    }
}
