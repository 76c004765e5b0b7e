//! The parameters of a call, with AWS's answers to those that break the model of the API.

use serde_json::{Map, Value};

use super::fault::Fault;

/// The object of a request's body.
pub(super) struct Params(Map<String, Value>);

impl Params {
    pub(super) fn parse(body: &[u8]) -> Result<Params, Fault> {
        if body.is_empty() {
            return Ok(Params(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => Ok(Params(map)),
            Ok(_) => Err(Fault::new("SerializationException", "Start of structure or map found where not expected.")),
            Err(_) => Err(Fault::new("SerializationException", "")),
        }
    }

    /// A value that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Fault> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| misfit(value, "a String"))).transpose()
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.text(name)?.ok_or_else(|| Fault::constraint("null", name, "Member must not be null"))
    }

    /// A text of at most this many characters.
    pub(super) fn bounded(&self, name: &str, most: usize) -> Result<Option<&str>, Fault> {
        match self.text(name)? {
            Some(text) if text.len() > most && text.chars().count() > most => {
                let rule = format!("Member must have length less than or equal to {most}");
                Err(Fault::constraint(&format!("'{text}'"), name, &rule))
            }
            text => Ok(text),
        }
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
            None => Err(not_one_of(given, name, all)),
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
