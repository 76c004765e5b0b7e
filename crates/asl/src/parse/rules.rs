//! Choice states and their conditions.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Names, Parser};
use crate::choice::{self, Condition, Operand, Relation, Test, Type};
use crate::definition::{Choice, Kind, QueryLanguage, Rule};
use crate::diagnostic::{child, hint};

/// Fields of a rule that are not comparisons.
const RULE_FIELDS: [&str; 7] = ["Variable", "And", "Or", "Not", "Next", "Assign", "Comment"];

impl Parser {
    pub(super) fn choice(&mut self, map: &Map<String, Value>, pointer: &str, names: &Names<'_>) -> Option<Kind> {
        let mut fields = Fields::new(self, map, pointer);
        let default = fields.string("Default");
        if map.get("Choices").is_none() {
            fields.missing("Choices", "holds the rules");
        }
        let rules = fields.array("Choices")?;
        let at = child(pointer, "Choices");
        if rules.is_empty() {
            self.error(&at, "NO_RULES", "`Choices` is empty; add a rule, or use a Pass state");
        }
        let parsed: Vec<Option<Rule>> =
            rules.iter().enumerate().map(|(n, rule)| self.rule(rule, &format!("{at}/{n}"), names)).collect();
        let default = match default {
            Some(name) => Some(self.target(names, name, &child(pointer, "Default"))?),
            None => None,
        };
        if default.is_none() && !map.contains_key("Default") {
            self.warning(
                pointer,
                "NO_DEFAULT",
                "without `Default` the execution fails with States.NoChoiceMatched when no rule matches",
            );
        }
        let rules = parsed.into_iter().collect::<Option<Vec<Rule>>>()?;
        Some(Kind::Choice(Box::new(Choice { rules, default })))
    }

    fn rule(&mut self, value: &Value, pointer: &str, names: &Names<'_>) -> Option<Rule> {
        let Value::Object(map) = value else {
            self.error(pointer, "WRONG_TYPE", "a rule must be an object");
            return None;
        };
        let jsonata = self.language == QueryLanguage::Jsonata;
        let condition = match jsonata {
            true => self.formula_condition(map, pointer),
            false => self.condition(map, pointer, true),
        };
        let mut fields = Fields::new(self, map, pointer);
        let assign = fields.assign();
        let output = if jsonata { fields.template("Output") } else { None };
        if map.get("Next").is_none() {
            fields.missing("Next", "names the state that follows when the rule matches");
        }
        let next = fields.string("Next")?;
        let next = self.target(names, next, &child(pointer, "Next"))?;
        Some(Rule { condition: condition?, next, assign, output })
    }

    /// `Condition` of a JSONata rule: an expression, or true or false.
    fn formula_condition(&mut self, map: &Map<String, Value>, pointer: &str) -> Option<Condition> {
        let mut fields = Fields::new(self, map, pointer);
        fields.only(&["Condition", "Next", "Assign", "Output", "Comment"], "a rule");
        match map.get("Condition") {
            None => {
                fields.missing("Condition", "says when the rule matches, as `{% ... %}`");
                None
            }
            Some(Value::Bool(holds)) => Some(Condition::Always(*holds)),
            Some(_) if fields.is_formula("Condition") => {
                fields.formula("Condition").map(|formula| Condition::Formula(Box::new(formula)))
            }
            Some(_) => {
                let message = "`Condition` must be an expression `{% ... %}`, true or false";
                self.error(&child(pointer, "Condition"), "WRONG_TYPE", message);
                None
            }
        }
    }

    fn condition(&mut self, map: &Map<String, Value>, pointer: &str, top: bool) -> Option<Condition> {
        if !top {
            for field in ["Next", "Assign"].into_iter().filter(|field| map.contains_key(*field)) {
                let message = format!("`{field}` belongs to the rule as a whole; move it out of the nested condition");
                self.error(&child(pointer, field), "MISPLACED_FIELD", message);
            }
        }
        let mut fields = Fields::new(self, map, pointer);
        match fields.one_of(&["And", "Or", "Not", "Variable"]) {
            Some("Not") => {
                let inner = fields.object("Not")?;
                let condition = self.condition(inner, &child(pointer, "Not"), false)?;
                Some(Condition::Not(Box::new(condition)))
            }
            Some("Variable") => self.comparison(map, pointer),
            Some(all_or_any) => {
                let parts = fields.array(all_or_any)?;
                let at = child(pointer, all_or_any);
                if parts.is_empty() {
                    self.error(&at, "NO_RULES", format!("`{all_or_any}` is empty; add a condition"));
                }
                let parts: Vec<Option<Condition>> = parts
                    .iter()
                    .enumerate()
                    .map(|(n, part)| match part {
                        Value::Object(map) => self.condition(map, &format!("{at}/{n}"), false),
                        _ => {
                            self.error(&format!("{at}/{n}"), "WRONG_TYPE", "a condition must be an object");
                            None
                        }
                    })
                    .collect();
                let parts = parts.into_iter().collect::<Option<Vec<Condition>>>()?;
                Some(if all_or_any == "And" { Condition::All(parts) } else { Condition::Any(parts) })
            }
            None => {
                if map.contains_key("Condition") {
                    let message =
                        "`Condition` belongs to JSONata; write `Variable`, or name JSONata as `QueryLanguage`";
                    self.error(&child(pointer, "Condition"), "WRONG_QUERY_LANGUAGE", message);
                } else {
                    fields.missing("Variable", "or `And`, `Or` or `Not` says what is tested");
                }
                None
            }
        }
    }

    fn comparison(&mut self, map: &Map<String, Value>, pointer: &str) -> Option<Condition> {
        let operators: Vec<&String> = map.keys().filter(|key| !RULE_FIELDS.contains(&key.as_str())).collect();
        let mut fields = Fields::new(self, map, pointer);
        let variable = fields.query("Variable");
        let operator = match operators.as_slice() {
            [operator] => operator.as_str(),
            [] => {
                fields.missing("StringEquals", "or another comparison tests the variable");
                return None;
            }
            [_, second, ..] => {
                let message = format!("a rule has one comparison; combine `{second}` with the other one under `And`");
                self.error(&child(pointer, second), "CONFLICTING_FIELDS", message);
                return None;
            }
        };
        match test(operator, &mut fields) {
            Some(test) => Some(Condition::Test { variable: variable?, test: test? }),
            None => {
                let names = operator_names();
                let hint = hint(operator, names.iter().map(String::as_str));
                let message = format!("there is no comparison `{operator}`{hint}");
                self.error(&child(pointer, operator), "UNKNOWN_FIELD", message);
                None
            }
        }
    }
}

const RELATIONS: [(&str, Relation); 5] = [
    ("Equals", Relation::Equal),
    ("LessThan", Relation::Less),
    ("LessThanEquals", Relation::LessOrEqual),
    ("GreaterThan", Relation::Greater),
    ("GreaterThanEquals", Relation::GreaterOrEqual),
];
const TYPES: [(&str, Type); 5] = [
    ("IsNull", Type::Null),
    ("IsBoolean", Type::Boolean),
    ("IsNumeric", Type::Numeric),
    ("IsString", Type::String),
    ("IsTimestamp", Type::Timestamp),
];

/// The outer `None`: there is no such operator; the inner: its operand is wrong, which has been reported.
fn test(operator: &str, fields: &mut Fields<'_, '_>) -> Option<Option<Test>> {
    if let Some((_, kind)) = TYPES.iter().find(|(name, _)| *name == operator) {
        return Some(fields.boolean(operator).map(|wanted| Test::Is(*kind, wanted)));
    }
    match operator {
        "IsPresent" => return Some(fields.boolean(operator).map(Test::Present)),
        "StringMatches" => {
            return Some(fields.string(operator).and_then(|text| match choice::glob(text) {
                Ok(glob) => Some(Test::Matches(glob)),
                Err(message) => {
                    let at = fields.at(operator);
                    fields.parser.error(&at, "BAD_PATTERN", message);
                    None
                }
            }));
        }
        "BooleanEquals" => return Some(fields.boolean(operator).map(|b| Test::Boolean(Operand::Literal(b)))),
        "BooleanEqualsPath" => return Some(path(operator, fields).map(Test::Boolean)),
        _ => {}
    }
    let (base, by_path) = match operator.strip_suffix("Path") {
        Some(base) => (base, true),
        None => (operator, false),
    };
    let (family, relation) = ["String", "Numeric", "Timestamp"].into_iter().find_map(|family| {
        let relation = base.strip_prefix(family)?;
        RELATIONS.iter().find(|(name, _)| *name == relation).map(|(_, relation)| (family, *relation))
    })?;
    Some(match family {
        "String" if by_path => path(operator, fields).map(|o| Test::String(relation, o)),
        "Numeric" if by_path => path(operator, fields).map(|o| Test::Numeric(relation, o)),
        _ if by_path => path(operator, fields).map(|o| Test::Timestamp(relation, o)),
        "String" => fields.string(operator).map(|text| Test::String(relation, Operand::Literal(text.into()))),
        "Numeric" => match fields.get(operator) {
            Some(Value::Number(n)) => Some(Test::Numeric(relation, Operand::Literal(n.clone()))),
            _ => {
                fields.number(operator, f64::MIN, f64::MAX);
                None
            }
        },
        _ => fields.string(operator).and_then(|text| match crate::time::parse(text) {
            Some(instant) => Some(Test::Timestamp(relation, Operand::Literal(instant))),
            None => {
                let at = fields.at(operator);
                let message = format!("`{text}` is not an RFC 3339 time such as `2030-01-31T12:00:00Z`");
                fields.parser.error(&at, "BAD_TIMESTAMP", message);
                None
            }
        }),
    })
}

fn path<T>(operator: &str, fields: &mut Fields<'_, '_>) -> Option<Operand<T>> {
    fields.query(operator).map(Operand::Path)
}

fn operator_names() -> Vec<String> {
    let mut names: Vec<String> =
        ["StringMatches", "BooleanEquals", "BooleanEqualsPath", "IsPresent"].map(String::from).into();
    names.extend(TYPES.iter().map(|(name, _)| (*name).to_owned()));
    for family in ["String", "Numeric", "Timestamp"] {
        for (relation, _) in RELATIONS {
            names.push(format!("{family}{relation}"));
            names.push(format!("{family}{relation}Path"));
        }
    }
    names
}
