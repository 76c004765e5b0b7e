//! The parameters of a call, with AWS's answers to those that break the model of the API.

use serde_json::{Map, Value};

use super::fault::Fault;

/// The object of a request's body, or one inside of it with the place where it stands.
pub(super) struct Params {
    fields: Map<String, Value>,
    at: String,
}

impl Params {
    pub(super) fn parse(body: &[u8]) -> Result<Params, Fault> {
        if body.is_empty() {
            return Ok(Params { fields: Map::new(), at: String::new() });
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Params { fields, at: String::new() }),
            Ok(_) => Err(Fault::new("SerializationException", "Start of structure or map found where not expected.")),
            Err(_) => Err(Fault::new("SerializationException", "")),
        }
    }

    /// A value that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Fault> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| misfit(value, "a String"))).transpose()
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.text(name)?.ok_or_else(|| self.fault("null", name, "Member must not be null"))
    }

    /// A text of at most this many characters.
    pub(super) fn bounded(&self, name: &str, most: usize) -> Result<Option<&str>, Fault> {
        match self.text(name)? {
            Some(text) if text.len() > most && text.chars().count() > most => {
                let rule = format!("Member must have length less than or equal to {most}");
                Err(self.fault(&format!("'{text}'"), name, &rule))
            }
            text => Ok(text),
        }
    }

    /// Checks that a text, if there is one, has at least this many characters.
    pub(super) fn at_least(&self, name: &str, least: usize) -> Result<(), Fault> {
        match self.text(name)? {
            Some(text) if text.chars().count() < least => {
                let rule = format!("Member must have length greater than or equal to {least}");
                Err(self.fault(&format!("'{text}'"), name, &rule))
            }
            _ => Ok(()),
        }
    }

    /// A number within bounds.
    pub(super) fn between(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Fault> {
        let given = self.integer(name)?;
        let rule = match given {
            Some(n) if n > most => format!("Member must have value less than or equal to {most}"),
            Some(n) if n < least => format!("Member must have value greater than or equal to {least}"),
            _ => return Ok(given),
        };
        Err(self.fault(&format!("'{}'", given.unwrap_or_default()), name, &rule))
    }

    /// The object in a field.
    pub(super) fn nested(&self, name: &str) -> Result<Option<Params>, Fault> {
        Ok(self.object(name)?.map(|fields| Params { fields: fields.clone(), at: self.place(name) }))
    }

    pub(super) fn to_value(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    /// Where a field is, as AWS writes it.
    fn place(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    fn fault(&self, value: &str, name: &str, rule: &str) -> Fault {
        Fault::constraint(value, &self.place(name), rule)
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Fault> {
        match self.get(name) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| misfit(value, "a Boolean")),
        }
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.get(name).map(|value| value.as_i64().ok_or_else(|| misfit(value, "an Integer"))).transpose()
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<&[Value]>, Fault> {
        let list = |value: &Value| misfit(value, "a List");
        self.get(name).map(|value| value.as_array().map(Vec::as_slice).ok_or_else(|| list(value))).transpose()
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, Fault> {
        let map = |value: &Value| misfit(value, "a Structure");
        self.get(name).map(|value| value.as_object().ok_or_else(|| map(value))).transpose()
    }

    /// One of several words.
    pub(super) fn word(&self, name: &str, all: &[&'static str]) -> Result<Option<&'static str>, Fault> {
        let Some(given) = self.text(name)? else { return Ok(None) };
        match all.iter().find(|word| **word == given) {
            Some(word) => Ok(Some(*word)),
            None => Err(not_one_of(given, &self.place(name), all)),
        }
    }
}

pub(super) fn not_one_of(given: &str, at: &str, all: &[&'static str]) -> Fault {
    let rule = format!("Member must satisfy enum value set: [{}]", all.join(", "));
    Fault::constraint(&format!("'{given}'"), at, &rule)
}

fn misfit(value: &Value, wanted: &str) -> Fault {
    let found = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => return Fault::new("SerializationException", "Unexpected list element found"),
        Value::Object(_) => {
            return Fault::new("SerializationException", "Start of structure or map found where not expected.");
        }
    };
    Fault::new("SerializationException", format!("{found} cannot be converted to {wanted}"))
}
