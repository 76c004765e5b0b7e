//! What a distributed Map reads its items from, and what it writes its results as: bytes to JSON and back, no IO.

use std::fmt;

use serde_json::{Map, Value, json};

/// How the bytes of an object hold items ("ItemReader" in AWS's guide).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The format.
    pub format: Format,
    /// Names for the columns of a CSV file whose first row does not hold them.
    pub headers: Option<Vec<String>>,
    /// What separates the columns of a CSV file.
    pub delimiter: u8,
    /// Where the items are inside of a JSON file, as a JSON pointer.
    pub pointer: Option<String>,
    /// No more items than these are wanted.
    pub most_items: Option<usize>,
}

/// The formats of item sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A file with one array, or an object whose fields are the items.
    Json,
    /// A file with one value a line.
    JsonLines,
    /// A file of rows.
    Csv,
    /// A file that lists CSV files, such as the manifest of an S3 inventory.
    Manifest,
    /// No file: the listing of a bucket, an object for each key.
    Listing,
}

/// Why items could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError(pub String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

/// One object of a listing, as the item that AWS makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The object's key.
    pub key: String,
    /// Its entity tag.
    pub etag: String,
    /// When it was last changed, in seconds since 1970.
    pub last_modified_s: i64,
    /// Its size.
    pub size_bytes: u64,
    /// Its storage class, such as `STANDARD`.
    pub storage_class: String,
}

impl Listed {
    /// The item.
    pub fn item(&self) -> Value {
        json!({
            "Etag": self.etag, "Key": self.key, "LastModified": self.last_modified_s, "Size": self.size_bytes,
            "StorageClass": self.storage_class,
        })
    }
}

/// The files that a manifest lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The bucket of the files, if the manifest names it.
    pub bucket: Option<String>,
    /// Their keys. A key that ends in `.gz` is compressed.
    pub keys: Vec<String>,
    /// How each of them is read.
    pub config: Config,
}

impl Default for Config {
    fn default() -> Config {
        Config { format: Format::Json, headers: None, delimiter: b',', pointer: None, most_items: None }
    }
}

impl Config {
    /// The items in the bytes of one object.
    ///
    /// # Errors
    /// The cause with which the state fails with `States.ItemReaderFailed`.
    pub fn read(&self, bytes: &[u8]) -> Result<Vec<Value>, ReadError> {
        match self.format {
            Format::Json => self.json(bytes),
            Format::JsonLines => json_lines(bytes, self.most()),
            Format::Csv => self.csv(bytes),
            Format::Manifest => Err(ReadError("a manifest lists files; read those".into())),
            Format::Listing => Err(ReadError("a listing has no file".into())),
        }
    }

    fn most(&self) -> usize {
        self.most_items.unwrap_or(usize::MAX)
    }

    fn json(&self, bytes: &[u8]) -> Result<Vec<Value>, ReadError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| not_json(&e))?;
        let value = match &self.pointer {
            None => value,
            Some(pointer) => match value.pointer(pointer) {
                Some(inner) => inner.clone(),
                None => return Err(ReadError(format!("The ItemsPointer '{pointer}' finds nothing in the file."))),
            },
        };
        match value {
            Value::Array(mut items) => {
                items.truncate(self.most());
                Ok(items)
            }
            _ => Err(ReadError("Attempting to map over non-iterable node.".into())),
        }
    }

    fn csv(&self, bytes: &[u8]) -> Result<Vec<Value>, ReadError> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .from_reader(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
        let mut rows = reader.records();
        let headers: Vec<String> = match &self.headers {
            Some(headers) => headers.clone(),
            None => match rows.next() {
                Some(row) => row.map_err(|e| not_csv(&e))?.iter().map(str::to_owned).collect(),
                None => return Ok(Vec::new()),
            },
        };
        for (n, header) in headers.iter().enumerate() {
            if headers.iter().take(n).any(|known| known == header) {
                return Err(ReadError("CSV headers cannot contain duplicates.".into()));
            }
        }
        let mut items = Vec::new();
        for row in rows.take(self.most()) {
            let row = row.map_err(|e| not_csv(&e))?;
            // A row that is too short is filled up, one that is too long cut.
            let cells = row.iter().chain(std::iter::repeat(""));
            let item: Map<String, Value> =
                headers.iter().cloned().zip(cells.map(|cell| Value::String(cell.into()))).collect();
            items.push(Value::Object(item));
        }
        Ok(items)
    }

    /// The files that a manifest lists: an S3 inventory's, or else one key a line.
    ///
    /// # Errors
    /// The cause with which the state fails with `States.ItemReaderFailed`.
    pub fn manifest(&self, bytes: &[u8]) -> Result<Manifest, ReadError> {
        let config = |headers| Config { format: Format::Csv, headers, ..self.clone() };
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
            let text = std::str::from_utf8(bytes).map_err(|_| ReadError("The manifest is not a text.".into()))?;
            let keys = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
            return Ok(Manifest { bucket: None, keys, config: config(self.headers.clone()) });
        };
        if value.get("fileFormat").and_then(Value::as_str).is_some_and(|format| format != "CSV") {
            return Err(ReadError("Only inventories in CSV can be read.".into()));
        }
        let files = value.get("files").and_then(Value::as_array);
        let files = files.ok_or_else(|| ReadError("The manifest lists no files.".into()))?;
        let keys = files.iter().filter_map(|file| file.get("key").and_then(Value::as_str)).map(str::to_owned).collect();
        let schema = value.get("fileSchema").and_then(Value::as_str);
        let headers = schema.map(|schema| schema.split(',').map(|name| name.trim().to_owned()).collect());
        let bucket = value.get("sourceBucket").or(value.get("destinationBucket")).and_then(Value::as_str);
        let bucket = bucket.map(|bucket| bucket.rsplit(':').next().unwrap_or(bucket).to_owned());
        Ok(Manifest { bucket, keys, config: config(headers.or_else(|| self.headers.clone())) })
    }
}

fn json_lines(bytes: &[u8], most: usize) -> Result<Vec<Value>, ReadError> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.take(most).map(|line| serde_json::from_slice(line).map_err(|e| not_json(&e))).collect()
}

fn not_json(e: &serde_json::Error) -> ReadError {
    ReadError(format!("The file is not JSON: {e}"))
}

fn not_csv(e: &csv::Error) -> ReadError {
    ReadError(format!("The file is not CSV: {e}"))
}

/// A file that a distributed Map's results are exported as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultFile {
    /// The object's key.
    pub key: String,
    /// Its content.
    pub content: String,
}

/// How one item ended, for the export.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) input: Value,
    pub(crate) started_ms: i64,
    pub(crate) stopped_ms: i64,
    /// The output, or the error and cause.
    pub(crate) result: Result<Value, (Option<String>, Option<String>)>,
}

/// How results are written ("ResultWriter" in AWS's guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transformation {
    /// Outputs with what describes their executions.
    None,
    /// Outputs alone.
    Compact,
    /// Outputs alone, arrays among them joined.
    Flatten,
}

/// Who wrote the results, for the export.
pub(crate) struct Exported<'a> {
    pub(crate) map_run_arn: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) folder: &'a str,
    pub(crate) transformation: Transformation,
    pub(crate) lines: bool,
}

impl Exported<'_> {
    /// The files of an export, its manifest first.
    pub(crate) fn files(&self, ended: &[Ended]) -> Vec<ResultFile> {
        let (succeeded, failed): (Vec<_>, Vec<_>) =
            ended.iter().enumerate().partition(|(_, ended)| ended.result.is_ok());
        let ending = if self.lines { "jsonl" } else { "json" };
        let mut files = Vec::new();
        let mut listed = |name: &str, some: Vec<(usize, &Ended)>| {
            if some.is_empty() {
                return json!([]);
            }
            let file = ResultFile { key: format!("{}/{name}_0.{ending}", self.folder), content: self.content(&some) };
            let entry = json!([{ "Key": file.key, "Size": file.content.len() }]);
            files.push(file);
            entry
        };
        let (failed, succeeded) = (listed("FAILED", failed), listed("SUCCEEDED", succeeded));
        let manifest = json!({
            "DestinationBucket": self.bucket, "MapRunArn": self.map_run_arn,
            "ResultFiles": { "FAILED": failed, "PENDING": [], "SUCCEEDED": succeeded },
        });
        files.insert(0, ResultFile { key: format!("{}/manifest.json", self.folder), content: manifest.to_string() });
        files
    }

    fn content(&self, some: &[(usize, &Ended)]) -> String {
        let values: Vec<Value> = some.iter().map(|(n, ended)| self.described(*n, ended)).collect();
        let values = if self.transformation == Transformation::Flatten { flattened(values) } else { values };
        if !self.lines {
            return Value::Array(values).to_string();
        }
        values.iter().map(|value| format!("{value}\n")).collect()
    }

    fn described(&self, n: usize, ended: &Ended) -> Value {
        if self.transformation != Transformation::None
            && let Ok(output) = &ended.result
        {
            return output.clone();
        }
        let arn = crate::map_runs::child_arn(self.map_run_arn, u32::try_from(n).unwrap_or(u32::MAX));
        let name = arn.rsplit(':').next().unwrap_or_default().to_owned();
        let mut out = Map::new();
        out.insert("ExecutionArn".into(), arn.into());
        out.insert("Input".into(), ended.input.to_string().into());
        out.insert("InputDetails".into(), json!({ "Included": true }));
        out.insert("Name".into(), name.into());
        match &ended.result {
            Ok(output) => {
                out.insert("Output".into(), output.to_string().into());
                out.insert("OutputDetails".into(), json!({ "Included": true }));
            }
            Err((error, cause)) => {
                out.insert("Error".into(), error.as_deref().into());
                out.insert("Cause".into(), cause.as_deref().into());
            }
        }
        out.insert("StartDate".into(), crate::time::format(ended.started_ms).into());
        out.insert("Status".into(), if ended.result.is_ok() { "SUCCEEDED" } else { "FAILED" }.into());
        out.insert("StopDate".into(), crate::time::format(ended.stopped_ms).into());
        Value::Object(out)
    }
}

/// Arrays among `values` joined into one.
pub(crate) fn flattened(values: Vec<Value>) -> Vec<Value> {
    let mut out = Vec::with_capacity(values.len());
    for value in values {
        match value {
            Value::Array(mut inner) => out.append(&mut inner),
            other => out.push(other),
        }
    }
    out
}
