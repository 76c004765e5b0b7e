//! Flattened structs as one schema.
//!
//! A flattened part that allows no other properties would forbid those beside it (`additionalProperties` looks at its own
//! schema only), so each `allOf` of objects becomes the one object that it means.

use serde_json::{Map, Value, json};

/// Merges the parts of every `allOf` among the schemas of a document.
pub(crate) fn flatten(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    let known = schemas.clone();
    for schema in schemas.values_mut() {
        if let Some(whole) = merge(schema, &known) {
            *schema = whole;
        }
    }
}

fn merge(schema: &Value, known: &Map<String, Value>) -> Option<Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for part in schema.get("allOf")?.as_array()? {
        let name = part.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
        let part = name.map_or(Some(part), |name| known.get(name))?;
        properties.extend(part.get("properties")?.as_object()?.clone());
        required.extend(part.get("required").and_then(Value::as_array).cloned().unwrap_or_default());
    }
    let mut whole = json!({"type": "object", "required": required, "properties": properties});
    if let (Some(description), Some(whole)) = (schema.get("description"), whole.as_object_mut()) {
        whole.insert("description".into(), description.clone());
    }
    Some(whole)
}
