//! What distributed Maps read their items from, and what they write their results to: objects of the object store.

use std::io::Read as _;
use std::sync::Arc;

use asl::Work;
use asl::items::{Config, Format, Listed, ResultFile};
use async_trait::async_trait;
use flate2::read::GzDecoder;
use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::Value;

use super::objects::{etag, listing, objects, place};
use super::{Answer, Fault, Request, Service};
use crate::core::Core;
use crate::task::Failure;

/// The largest object that items are read from, decompressed.
const MAX_SOURCE_BYTES: usize = 64 << 20;
/// The most bytes of all items together, as the journal keeps them.
pub(crate) const MAX_ITEMS_BYTES: usize = 2 << 20;
/// The most items of a Map.
const MAX_ITEMS: usize = 100_000;
/// The most files of a manifest.
const MAX_FILES: usize = 1_000;

pub(super) struct Items;

/// Why items could not be read or results not written; the language names the error.
fn failed(cause: impl Into<String>) -> Fault {
    Failure::new("States.TaskFailed", cause).into()
}

#[async_trait]
impl Service for Items {
    fn reaches_out(&self, _: &Core, request: &Request) -> bool {
        matches!(request.start.work, Work::WriteResults(_))
    }

    async fn call(&self, core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
        let objects = objects(core)?;
        let bucket = request.text("Bucket").ok_or_else(|| failed("`Bucket` must name the bucket"))?;
        match &request.start.work {
            Work::ReadItems(config) => {
                let items = read(objects, request, bucket, config).await?;
                let bytes: usize = items.iter().map(|item| item.to_string().len() + 1).sum();
                if bytes > MAX_ITEMS_BYTES {
                    let cause = format!(
                        "The items are {bytes} bytes together; this engine takes {MAX_ITEMS_BYTES}. Split them, or set \
                         MaxItems."
                    );
                    return Err(failed(cause));
                }
                Ok(Answer::of(Value::Array(items)))
            }
            Work::WriteResults(files) => {
                write(objects, bucket, files).await?;
                Ok(Answer::of(Value::Null))
            }
            Work::Call => Ok(Answer::default()),
        }
    }
}

async fn read(
    objects: &Arc<dyn ObjectStore>,
    request: &Request,
    bucket: &str,
    config: &Config,
) -> Result<Vec<Value>, Fault> {
    let most = config.most_items.unwrap_or(MAX_ITEMS).min(MAX_ITEMS);
    if config.format == Format::Listing {
        let prefix = request.text("Prefix").unwrap_or_default();
        let (found, more) = listing(objects, bucket, prefix, "", most).await?;
        return match more && config.most_items.is_none_or(|wanted| wanted > MAX_ITEMS) {
            true => Err(failed(format!("The bucket lists more than {MAX_ITEMS} objects; set MaxItems."))),
            false => Ok(found.iter().map(|(key, meta)| listed(key, meta).item()).collect()),
        };
    }
    let key = request.text("Key").ok_or_else(|| failed("`Key` must name the object"))?;
    let bytes = load(objects, bucket, key).await?;
    if config.format != Format::Manifest {
        return parse(config.clone(), key.to_owned(), bytes, most).await;
    }
    let manifest = config.manifest(&bytes).map_err(|error| failed(error.0))?;
    if manifest.keys.len() > MAX_FILES {
        return Err(failed(format!("The manifest lists more than {MAX_FILES} files.")));
    }
    let bucket = manifest.bucket.as_deref().unwrap_or(bucket);
    let mut items = Vec::new();
    for key in manifest.keys {
        let bytes = load(objects, bucket, &key).await?;
        items.extend(parse(manifest.config.clone(), key, bytes, most - items.len()).await?);
        if items.len() >= most {
            break;
        }
    }
    Ok(items)
}

fn listed(key: &str, meta: &object_store::ObjectMeta) -> Listed {
    Listed {
        key: key.to_owned(),
        etag: etag(meta),
        last_modified_s: meta.last_modified.timestamp(),
        size_bytes: meta.size,
        storage_class: "STANDARD".into(),
    }
}

/// The bytes of an object, chunk by chunk, so that one that is too large is left early.
async fn load(objects: &Arc<dyn ObjectStore>, bucket: &str, key: &str) -> Result<Vec<u8>, Fault> {
    let unreadable = |error: object_store::Error| match error {
        object_store::Error::NotFound { .. } => failed("The specified key does not exist."),
        error => {
            tracing::warn!(%error, "items could not be read");
            failed("The object could not be read.")
        }
    };
    let at: Path = place(bucket, key).map_err(|_| failed("The specified bucket is not valid."))?;
    let mut stream = objects.get(&at).await.map_err(unreadable)?.into_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(unreadable)?);
        if bytes.len() > MAX_SOURCE_BYTES {
            return Err(failed(format!("The object is larger than {MAX_SOURCE_BYTES} bytes.")));
        }
    }
    Ok(bytes)
}

/// The items in the bytes. In a thread of its own: it may be much to parse.
async fn parse(config: Config, key: String, bytes: Vec<u8>, most: usize) -> Result<Vec<Value>, Fault> {
    let config = Config { most_items: Some(most), ..config };
    let parsed = tokio::task::spawn_blocking(move || {
        let bytes = if key.ends_with(".gz") { decompress(&bytes)? } else { bytes };
        config.read(&bytes).map_err(|error| error.0)
    });
    match parsed.await {
        Ok(parsed) => parsed.map_err(failed),
        Err(_) => Err(failed("The object could not be read.")),
    }
}

fn decompress(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let most = MAX_SOURCE_BYTES as u64 + 1;
    GzDecoder::new(bytes).take(most).read_to_end(&mut out).map_err(|e| format!("The file is not gzip: {e}"))?;
    match out.len() > MAX_SOURCE_BYTES {
        true => Err(format!("The object is larger than {MAX_SOURCE_BYTES} bytes.")),
        false => Ok(out),
    }
}

/// Writes the files, the manifest last: where it is, all that it lists is. To write them again changes nothing.
async fn write(objects: &Arc<dyn ObjectStore>, bucket: &str, files: &[ResultFile]) -> Result<(), Fault> {
    for file in files.iter().rev() {
        let at = place(bucket, &file.key).map_err(|_| failed("The specified bucket is not valid."))?;
        objects.put(&at, file.content.clone().into_bytes().into()).await.map_err(|error| {
            tracing::warn!(%error, "results could not be written");
            failed("The results could not be written.")
        })?;
    }
    Ok(())
}
