//! The parameters of a call, which the model of the API has checked.

use serde_json::{Map, Value};

use super::fault::Fault;
use super::model;

/// The object of a request's body.
pub(super) struct Params(Map<String, Value>);

impl Params {
    /// Reads the parameters of an operation and checks them against the model.
    pub(super) fn parse(operation: &str, body: &[u8]) -> Result<Params, Fault> {
        let params = match serde_json::from_slice(if body.is_empty() { b"{}" } else { body }) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => {
                return Err(Fault::new(
                    "SerializationException",
                    "Start of structure or map found where not expected.",
                ));
            }
            Err(_) => return Err(Fault::new("SerializationException", "")),
        };
        model::check(operation, &params)?;
        Ok(Params(params))
    }

    /// A value that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.text(name).ok_or_else(|| Fault::constraint("null", name, "Member must not be null"))
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::as_i64)
    }

    pub(super) fn list(&self, name: &str) -> Option<&[Value]> {
        self.get(name).and_then(Value::as_array).map(Vec::as_slice)
    }

    pub(super) fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.get(name).and_then(Value::as_object)
    }

    pub(super) fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}
