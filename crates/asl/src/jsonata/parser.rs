//! The grammar: operator precedence parsing, after the JSONata reference.

use super::ast::{Kind, Lambda, Node, Operator, Pairs, Raw, Term, Transform};
use super::error::{Result, error};
use super::lexer::{Lexer, Token};
use super::signature::Signature;
use crate::limits;

/// Parses a text into a tree whose paths are not yet put together.
pub(super) fn parse(text: &str) -> Result<Node> {
    let mut parser = Parser { lexer: Lexer::new(text), token: Token::End, depth: 0 };
    parser.advance(false)?;
    let node = parser.expression(0)?;
    match parser.token {
        Token::End => Ok(node),
        ref token => error("S0201", format!("Syntax error: {}", shown(token))),
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    token: Token,
    depth: usize,
}

/// How strongly a token binds what stands to its left.
fn binding(token: &Token) -> u32 {
    let Token::Operator(operator) = token else { return 0 };
    match *operator {
        "[" | "(" | "@" | "#" => 80,
        "." => 75,
        "{" => 70,
        "*" | "/" | "%" => 60,
        "+" | "-" | "&" => 50,
        "=" | "<" | ">" | "^" | "!=" | "<=" | ">=" | "~>" | "in" => 40,
        "and" => 30,
        "or" => 25,
        "?" => 20,
        ":=" => 10,
        _ => 0,
    }
}

pub(super) fn shown(token: &Token) -> String {
    match token {
        Token::End => "(end)".into(),
        Token::Operator(operator) => (*operator).into(),
        Token::Name(name) => name.to_string(),
        Token::Variable(name) => format!("${name}"),
        Token::String(text) => text.to_string(),
        Token::Number(number) => number.to_string(),
        Token::True => "true".into(),
        Token::False => "false".into(),
        Token::Null => "null".into(),
        Token::Regex(pattern, flags) => format!("/{pattern}/{flags}"),
    }
}

fn deeper(a: &Node, b: &Node) -> u32 {
    a.depth.max(b.depth)
}

impl Parser<'_> {
    fn advance(&mut self, infix: bool) -> Result<Token> {
        let next = self.lexer.next(infix)?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn is(&self, operator: &str) -> bool {
        matches!(self.token, Token::Operator(found) if found == operator)
    }

    fn expect(&mut self, operator: &'static str, infix: bool) -> Result<()> {
        if self.is(operator) {
            return self.advance(infix).map(|_| ());
        }
        match &self.token {
            Token::End => error("S0203", format!("Expected {operator} before end of expression")),
            token => error("S0202", format!("Expected {operator}, got {}", shown(token))),
        }
    }

    fn expression(&mut self, right: u32) -> Result<Node> {
        self.depth += 1;
        if self.depth > limits::EXPRESSION_DEPTH as usize {
            return error("U1001", "the expression nests too deep");
        }
        let token = self.advance(true)?;
        let mut left = self.start(token)?;
        while right < binding(&self.token) {
            let token = self.advance(false)?;
            left = self.go_on(left, &token)?;
            if left.depth > limits::EXPRESSION_DEPTH {
                return error("U1001", "the expression nests too deep");
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    /// A token where a value begins. The token after it has been read as one that may be infix.
    fn start(&mut self, token: Token) -> Result<Node> {
        let kind = match token {
            Token::End => return error("S0207", "Unexpected end of expression"),
            Token::Name(name) => Kind::Name(name),
            Token::Variable(name) => Kind::Variable(name),
            Token::String(text) => Kind::String(text),
            Token::Number(number) => Kind::Number(number),
            Token::True => Kind::Boolean(true),
            Token::False => Kind::Boolean(false),
            Token::Null => Kind::Null,
            Token::Regex(pattern, flags) => Kind::Regex(Box::new(super::regex::compile(&pattern, &flags)?)),
            Token::Operator(operator) => return self.prefix(operator),
        };
        Ok(Node::new(kind, 0))
    }

    fn prefix(&mut self, operator: &'static str) -> Result<Node> {
        let raw = |raw| Ok(Node::new(Kind::Raw(Box::new(raw)), 0));
        match operator {
            "*" => Ok(Node::new(Kind::Wildcard, 0)),
            "**" => Ok(Node::new(Kind::Descendants, 0)),
            "%" => raw(Raw::Percent),
            "and" | "or" | "in" => raw(Raw::Word(operator.into())),
            "-" => {
                let node = self.expression(70)?;
                let depth = node.depth;
                Ok(Node::new(Kind::Negate(Box::new(node)), depth))
            }
            "(" => self.block(),
            "[" => self.array(),
            "{" => {
                let (pairs, depth) = self.pairs()?;
                Ok(Node::new(Kind::Object(pairs), depth))
            }
            "|" => self.transform(),
            // These end something that has not begun, as the end itself does.
            ")" | "]" | "}" | "," | ":" | ";" | ".." => error("S0211", unary(operator)),
            _ => error("S0211", unary(operator)),
        }
    }

    fn block(&mut self) -> Result<Node> {
        let mut expressions = Vec::new();
        while !self.is(")") {
            expressions.push(self.expression(0)?);
            if !self.is(";") {
                break;
            }
            self.expect(";", false)?;
        }
        self.expect(")", true)?;
        let depth = expressions.iter().map(|node| node.depth).max().unwrap_or(0);
        Ok(Node::new(Kind::Block(expressions), depth))
    }

    fn array(&mut self) -> Result<Node> {
        let mut items = Vec::new();
        if !self.is("]") {
            loop {
                let mut item = self.expression(0)?;
                if self.is("..") {
                    self.expect("..", false)?;
                    let to = self.expression(0)?;
                    let depth = deeper(&item, &to);
                    item = Node::new(Kind::Binary(Operator::Range, Box::new((item, to))), depth);
                }
                items.push(item);
                if !self.is(",") {
                    break;
                }
                self.expect(",", false)?;
            }
        }
        self.expect("]", true)?;
        let depth = items.iter().map(|node| node.depth).max().unwrap_or(0);
        Ok(Node::new(Kind::Array(items), depth))
    }

    fn pairs(&mut self) -> Result<(Pairs, u32)> {
        let mut pairs = Vec::new();
        let mut depth = 0;
        if !self.is("}") {
            loop {
                let key = self.expression(0)?;
                self.expect(":", false)?;
                let value = self.expression(0)?;
                depth = depth.max(deeper(&key, &value));
                pairs.push((key, value));
                if !self.is(",") {
                    break;
                }
                self.expect(",", false)?;
            }
        }
        self.expect("}", true)?;
        Ok((pairs, depth))
    }

    fn transform(&mut self) -> Result<Node> {
        let pattern = self.expression(0)?;
        self.expect("|", false)?;
        let update = self.expression(0)?;
        let mut depth = deeper(&pattern, &update);
        let mut delete = None;
        if self.is(",") {
            self.expect(",", false)?;
            let node = self.expression(0)?;
            depth = depth.max(node.depth);
            delete = Some(node);
        }
        self.expect("|", true)?;
        Ok(Node::new(Kind::Transform(Box::new(Transform { pattern, update, delete })), depth))
    }

    /// An operator after a value.
    fn go_on(&mut self, left: Node, token: &Token) -> Result<Node> {
        let Token::Operator(operator) = token else { return error("S0201", format!("Syntax error: {}", shown(token))) };
        let binary = |parser: &mut Self, left: Node, operator: Operator| {
            let right = parser.expression(binding(token))?;
            let depth = deeper(&left, &right);
            Ok(Node::new(Kind::Binary(operator, Box::new((left, right))), depth))
        };
        match *operator {
            "+" => binary(self, left, Operator::Add),
            "-" => binary(self, left, Operator::Subtract),
            "*" => binary(self, left, Operator::Multiply),
            "/" => binary(self, left, Operator::Divide),
            "%" => binary(self, left, Operator::Remainder),
            "=" => binary(self, left, Operator::Equal),
            "!=" => binary(self, left, Operator::NotEqual),
            "<" => binary(self, left, Operator::Less),
            "<=" => binary(self, left, Operator::LessOrEqual),
            ">" => binary(self, left, Operator::Greater),
            ">=" => binary(self, left, Operator::GreaterOrEqual),
            "&" => binary(self, left, Operator::Concatenate),
            "and" => binary(self, left, Operator::And),
            "or" => binary(self, left, Operator::Or),
            "in" => binary(self, left, Operator::In),
            "." => {
                let right = self.expression(75)?;
                let depth = deeper(&left, &right);
                Ok(raw(Raw::Dot(left, right), depth))
            }
            "~>" => {
                let right = self.expression(40)?;
                let depth = deeper(&left, &right);
                Ok(Node::new(Kind::Apply(Box::new((left, right))), depth))
            }
            "[" => self.filter(left),
            "(" => self.call(left),
            "{" => {
                let (pairs, depth) = self.pairs()?;
                let depth = depth.max(left.depth);
                Ok(raw(Raw::Group(left, pairs), depth))
            }
            "^" => self.order(left),
            "@" | "#" => {
                let right = self.expression(80)?;
                let Kind::Variable(name) = right.kind else {
                    return error(
                        "S0214",
                        format!("The right side of {operator} must be a variable name (start with $)"),
                    );
                };
                let depth = left.depth;
                Ok(raw(if *operator == "@" { Raw::Focus(left, name) } else { Raw::Index(left, name) }, depth))
            }
            "?" => {
                let then = self.expression(0)?;
                let mut depth = deeper(&left, &then);
                let mut otherwise = None;
                if self.is(":") {
                    self.expect(":", false)?;
                    let node = self.expression(0)?;
                    depth = depth.max(node.depth);
                    otherwise = Some(Box::new(node));
                }
                Ok(Node::new(Kind::Condition(Box::new((left, then)), otherwise), depth))
            }
            ":=" => {
                let Kind::Variable(name) = left.kind else {
                    return error("S0212", "The left side of := must be a variable name (start with $)");
                };
                let value = self.expression(9)?;
                let depth = value.depth;
                Ok(Node::new(Kind::Bind(name, Box::new(value)), depth))
            }
            other => error("S0201", format!("Syntax error: {other}")),
        }
    }

    fn filter(&mut self, mut left: Node) -> Result<Node> {
        if self.is("]") {
            let mut step = &mut left;
            while matches!(&step.kind, Kind::Raw(raw) if matches!(**raw, Raw::Filter(..))) {
                let Kind::Raw(raw) = &mut step.kind else { break };
                let Raw::Filter(inner, _) = &mut **raw else { break };
                step = inner;
            }
            step.keep_array = true;
            self.expect("]", true)?;
            return Ok(left);
        }
        let predicate = self.expression(0)?;
        self.expect("]", true)?;
        let depth = deeper(&left, &predicate);
        Ok(raw(Raw::Filter(left, predicate), depth))
    }

    fn order(&mut self, left: Node) -> Result<Node> {
        self.expect("(", false)?;
        let mut terms = Vec::new();
        let mut depth = left.depth;
        loop {
            let descending = self.is(">");
            if descending || self.is("<") {
                self.advance(false)?;
            }
            let expression = self.expression(0)?;
            depth = depth.max(expression.depth);
            terms.push(Term { expression, descending });
            if !self.is(",") {
                break;
            }
            self.expect(",", false)?;
        }
        self.expect(")", true)?;
        Ok(raw(Raw::Order(left, terms), depth))
    }

    fn call(&mut self, left: Node) -> Result<Node> {
        let mut arguments = Vec::new();
        let mut partial = false;
        let mut depth = left.depth;
        if !self.is(")") {
            loop {
                if self.is("?") {
                    partial = true;
                    arguments.push(raw(Raw::Placeholder, 0));
                    self.advance(true)?;
                } else {
                    let argument = self.expression(0)?;
                    depth = depth.max(argument.depth);
                    arguments.push(argument);
                }
                if !self.is(",") {
                    break;
                }
                self.expect(",", false)?;
            }
        }
        self.expect(")", true)?;
        if matches!(&left.kind, Kind::Name(name) if matches!(&**name, "function" | "\u{3bb}")) {
            return self.lambda(arguments);
        }
        let kind = if partial {
            let is_open = |node: &Node| matches!(&node.kind, Kind::Raw(raw) if matches!(**raw, Raw::Placeholder));
            let arguments = arguments.into_iter().map(|node| if is_open(&node) { None } else { Some(node) }).collect();
            Kind::Partial(Box::new(left), arguments)
        } else {
            Kind::Call(Box::new(left), arguments)
        };
        Ok(Node::new(kind, depth))
    }

    fn lambda(&mut self, arguments: Vec<Node>) -> Result<Node> {
        let mut parameters = Vec::with_capacity(arguments.len());
        for (n, argument) in arguments.into_iter().enumerate() {
            match argument.kind {
                Kind::Variable(name) => parameters.push(name),
                _ => {
                    let message =
                        format!("Parameter {} of function definition must be a variable name (start with $)", n + 1);
                    return error("S0208", message);
                }
            }
        }
        let mut signature = None;
        if self.is("<") {
            let mut text = String::from("<");
            let mut depth = 1;
            while depth > 0 && !self.is("{") && self.token != Token::End {
                self.advance(false)?;
                if self.is(">") {
                    depth -= 1;
                } else if self.is("<") {
                    depth += 1;
                }
                text.push_str(&shown(&self.token));
            }
            self.expect(">", false)?;
            signature = Some(Signature::parse(&text)?);
        }
        self.expect("{", false)?;
        let body = self.expression(0)?;
        self.expect("}", true)?;
        let depth = body.depth;
        Ok(Node::new(Kind::Lambda(Box::new(Lambda { parameters, signature, body })), depth))
    }
}

fn raw(raw: Raw, below: u32) -> Node {
    Node::new(Kind::Raw(Box::new(raw)), below)
}

fn unary(operator: &str) -> String {
    format!("The symbol {operator} cannot be used as a unary operator")
}
