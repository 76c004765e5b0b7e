//! What only a distributed Map has: `ItemReader`, `ItemBatcher` and `ResultWriter`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Parser;
use super::fields::Fields;
use crate::definition::{Batcher, Reader, Writer};
use crate::diagnostic::child;
use crate::items::{Config, Format, Transformation};
use crate::limits;
use crate::resource::{Integration, Kind, Pattern, Resource};

impl Parser {
    pub(super) fn reader(&mut self, map: &Map<String, Value>, pointer: &str) -> Option<Reader> {
        let mut fields = Fields::new(self, map, pointer);
        let given = if fields.is_jsonata() { "Arguments" } else { "Parameters" };
        fields.only(&["Resource", "ReaderConfig", given], "an item reader");
        let arguments = fields.template(given);
        let resource = fields.storage(&["getObject", "listObjectsV2"]);
        let config = fields.object("ReaderConfig");
        let is_listing = resource.as_ref().is_some_and(|resource| resource.raw.ends_with("listObjectsV2"));
        let at = child(pointer, "ReaderConfig");
        let empty = Map::new();
        let mut fields = Fields::new(self, config.unwrap_or(&empty), &at);
        fields.only(
            &[
                "InputType",
                "CSVHeaderLocation",
                "CSVHeaders",
                "CSVDelimiter",
                "MaxItems",
                "MaxItemsPath",
                "ItemsPointer",
                "ManifestType",
                "Transformation",
            ],
            "`ReaderConfig`",
        );
        let format = match fields.string("InputType") {
            None if is_listing => Format::Listing,
            Some("JSON") => Format::Json,
            Some("JSONL") => Format::JsonLines,
            Some("CSV") => Format::Csv,
            Some("MANIFEST") => Format::Manifest,
            None => {
                fields.missing("InputType", "is JSON, JSONL, CSV or MANIFEST");
                return None;
            }
            Some(other) => {
                let at = fields.at("InputType");
                let message = format!("`{other}` cannot be read; there are JSON, JSONL, CSV and MANIFEST");
                fields.parser.error(&at, "BAD_READER", message);
                return None;
            }
        };
        let headers = fields.headers(format);
        let delimiter = fields.delimiter();
        let pointer = fields.string("ItemsPointer").map(str::to_owned);
        let most_items = fields.seconds("MaxItems", 0, u64::MAX);
        let config = Config { format, headers, delimiter, pointer, most_items: None };
        Some(Reader { resource: Arc::new(resource?), arguments, config, most_items })
    }

    pub(super) fn batcher(&mut self, map: &Map<String, Value>, pointer: &str) -> Option<Batcher> {
        let mut fields = Fields::new(self, map, pointer);
        let known = [
            "MaxItemsPerBatch",
            "MaxItemsPerBatchPath",
            "MaxInputBytesPerBatch",
            "MaxInputBytesPerBatchPath",
            "BatchInput",
        ];
        fields.only(&known, "an item batcher");
        let most_items = fields.seconds("MaxItemsPerBatch", 1, u64::MAX);
        let most_bytes = fields.seconds("MaxInputBytesPerBatch", 1, limits::PAYLOAD_BYTES as u64);
        if !known.iter().take(4).any(|field| map.contains_key(*field)) {
            fields.missing("MaxItemsPerBatch", "or `MaxInputBytesPerBatch` says how large a batch may be");
        }
        Some(Batcher { most_items, most_bytes, input: fields.template("BatchInput") })
    }

    pub(super) fn writer(&mut self, map: &Map<String, Value>, pointer: &str) -> Option<Writer> {
        let mut fields = Fields::new(self, map, pointer);
        let given = if fields.is_jsonata() { "Arguments" } else { "Parameters" };
        fields.only(&["Resource", "WriterConfig", given], "a result writer");
        let arguments = fields.template(given);
        let resource = if map.contains_key("Resource") { fields.storage(&["putObject"]) } else { None };
        if resource.is_none() && !map.contains_key("WriterConfig") {
            fields.missing("Resource", "or `WriterConfig` says where or how the results are written");
        }
        let config = fields.object("WriterConfig");
        let at = child(pointer, "WriterConfig");
        let empty = Map::new();
        let mut fields = Fields::new(self, config.unwrap_or(&empty), &at);
        fields.only(&["Transformation", "OutputType"], "`WriterConfig`");
        let transformation = match fields.string("Transformation") {
            None if resource.is_none() => Transformation::Compact,
            None | Some("NONE") => Transformation::None,
            Some("COMPACT") => Transformation::Compact,
            Some("FLATTEN") => Transformation::Flatten,
            Some(other) => {
                let at = fields.at("Transformation");
                let message = format!("`{other}` is no transformation; there are NONE, COMPACT and FLATTEN");
                fields.parser.error(&at, "BAD_WRITER", message);
                return None;
            }
        };
        let lines = match fields.string("OutputType") {
            None | Some("JSON") => false,
            Some("JSONL") => true,
            Some(other) => {
                let at = fields.at("OutputType");
                fields.parser.error(&at, "BAD_WRITER", format!("`{other}` is no output type; write JSON or JSONL"));
                return None;
            }
        };
        Some(Writer { resource: resource.map(Arc::new), arguments, transformation, lines })
    }
}

impl Fields<'_, '_> {
    /// `Resource`: one of these actions of the object store.
    fn storage(&mut self, actions: &[&str]) -> Option<Resource> {
        if self.get("Resource").is_none() {
            self.missing("Resource", "names the object store's action");
        }
        let raw = self.string("Resource")?;
        let action =
            raw.strip_prefix("arn:").and_then(|rest| rest.split_once(":states:::s3:")).map(|(_, action)| action);
        let action = action.filter(|action| actions.contains(action));
        match action.and_then(|action| Integration::find("aws-sdk:s3", action)) {
            Some(integration) => {
                Some(Resource { raw: raw.into(), kind: Kind::Service(integration), pattern: Pattern::RequestResponse })
            }
            None => {
                let at = self.at("Resource");
                let known: Vec<String> = actions.iter().map(|action| format!("arn:aws:states:::s3:{action}")).collect();
                let message = format!("`{raw}` is not supported here; write {}", known.join(" or "));
                self.parser.error(&at, "UNSUPPORTED_RESOURCE", message);
                None
            }
        }
    }

    fn headers(&mut self, format: Format) -> Option<Vec<String>> {
        let location = self.string("CSVHeaderLocation");
        let headers = self.array("CSVHeaders");
        match (format, location) {
            (Format::Csv, None) => {
                self.missing("CSVHeaderLocation", "is FIRST_ROW or GIVEN");
                None
            }
            (_, None | Some("FIRST_ROW")) => None,
            (_, Some("GIVEN")) => {
                let names: Option<Vec<String>> = headers
                    .filter(|headers| !headers.is_empty())
                    .and_then(|headers| headers.iter().map(|name| name.as_str().map(str::to_owned)).collect());
                if names.is_none() {
                    self.missing("CSVHeaders", "holds the names of the columns");
                }
                names
            }
            (_, Some(other)) => {
                let at = self.at("CSVHeaderLocation");
                let message = format!("`{other}` is no place for headers; write FIRST_ROW or GIVEN");
                self.parser.error(&at, "BAD_READER", message);
                None
            }
        }
    }

    fn delimiter(&mut self) -> u8 {
        match self.string("CSVDelimiter") {
            None | Some("COMMA") => b',',
            Some("PIPE") => b'|',
            Some("SEMICOLON") => b';',
            Some("SPACE") => b' ',
            Some("TAB") => b'\t',
            Some(other) => {
                let at = self.at("CSVDelimiter");
                let message = format!("`{other}` is no delimiter; there are COMMA, PIPE, SEMICOLON, SPACE and TAB");
                self.parser.error(&at, "BAD_READER", message);
                b','
            }
        }
    }
}
