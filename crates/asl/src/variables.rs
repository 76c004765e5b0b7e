//! Variables that `Assign` sets, in scopes: a branch reads those around it and sets its own.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::data;

/// The variables that one thread of an execution sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    own: Option<Arc<Map<String, Value>>>,
    /// The size of its own and those around, as compact JSON.
    bytes: usize,
    outer: Option<Arc<Variables>>,
}

impl Variables {
    /// The variables of a branch that starts inside this scope.
    pub(crate) fn inner(&self) -> Variables {
        if self.own.is_none() && self.outer.is_none() {
            return Variables::default();
        }
        Variables { own: None, bytes: self.bytes, outer: Some(Arc::new(self.clone())) }
    }

    /// The value of a variable, from the nearest scope that has it.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        match self.own.as_ref().and_then(|own| own.get(name)) {
            Some(value) => Some(value),
            None => self.outer.as_ref().and_then(|outer| outer.get(name)),
        }
    }

    /// How large all would be with `values`.
    pub(crate) fn bytes_with(&self, values: &Map<String, Value>) -> usize {
        let size = |value: &Value| data::measure(value, usize::MAX).map_or(usize::MAX, |size| size.bytes);
        let replaced = |name: &String| self.own.as_ref().and_then(|own| own.get(name)).map_or(0, size);
        values
            .iter()
            .fold(self.bytes, |bytes, (name, value)| bytes.saturating_add(size(value)).saturating_sub(replaced(name)))
    }

    /// Sets all of `values` in this scope.
    pub(crate) fn assign(&mut self, values: Map<String, Value>) {
        if values.is_empty() {
            return;
        }
        self.bytes = self.bytes_with(&values);
        match &mut self.own {
            Some(own) => Arc::make_mut(own).extend(values),
            None => self.own = Some(Arc::new(values)),
        }
    }
}
