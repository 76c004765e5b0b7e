//! `aws-sdk:s3`: objects of the object store, a bucket a folder. A bucket is there once something is put into it.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};

use super::queues::md5;
use super::{Answer, Fault, Request, Service};
use crate::core::Core;
use crate::task::Failure;

/// The largest object that a flow reads or writes as data: as large as a result may be.
const MAX_BODY_BYTES: u64 = 262_144;
/// The most keys of one page of a listing.
const MAX_KEYS: usize = 1_000;

pub(super) struct S3;

/// The object store, or why there is none.
pub(super) fn objects(core: &Core) -> Result<&Arc<dyn ObjectStore>, Fault> {
    let missing = || Failure::new("States.Runtime", "this server has no object store").into();
    core.services.objects.as_ref().ok_or_else(missing)
}

/// Where an object is, in the folder of its bucket.
///
/// # Errors
/// The bucket's name is none.
pub(super) fn place(bucket: &str, key: &str) -> Result<Path, Fault> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    let named = (3..=63).contains(&bucket.len()) && bucket.bytes().all(allowed) && !bucket.starts_with('.');
    if !named {
        return Err(Fault::unmodelled("InvalidBucketName", "The specified bucket is not valid."));
    }
    // Each part is escaped, so that none leads out of the folder.
    Ok(Path::from_iter(std::iter::once(bucket).chain(key.split('/'))))
}

pub(super) fn store_fault(error: &object_store::Error) -> Fault {
    match error {
        object_store::Error::NotFound { .. } => Fault::Service {
            exception: Some("NoSuchKeyException"),
            code: "NoSuchKey",
            status: 404,
            message: "The specified key does not exist.".into(),
        },
        // Its own text may name folders of the server.
        _ => {
            tracing::warn!(%error, "the object store failed");
            let message = "We encountered an internal error. Please try again.".into();
            Fault::Service { exception: None, code: "InternalError", status: 500, message }
        }
    }
}

#[async_trait]
impl Service for S3 {
    fn reaches_out(&self, _: &Core, request: &Request) -> bool {
        matches!(request.integration.action, "putObject" | "deleteObject")
    }

    async fn call(&self, core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
        let objects = objects(core)?;
        if request.integration.action == "listBuckets" {
            return buckets(objects).await;
        }
        let bucket = request.required("Bucket")?;
        if request.integration.action == "listObjectsV2" {
            return list(objects, request, bucket).await;
        }
        let at = place(bucket, request.required("Key")?)?;
        match request.integration.action {
            "getObject" => get(objects, &at).await,
            "headObject" => {
                let meta = objects.head(&at).await.map_err(|e| store_fault(&e))?;
                Ok(Answer::of(head(&meta, &etag(&meta))))
            }
            "putObject" => put(objects, request, &at).await,
            _ => match objects.delete(&at).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(Answer::of(json!({}))),
                Err(e) => Err(store_fault(&e)),
            },
        }
    }
}

/// The entity tag of a stored object in one pair of quotes, as S3 writes it: some stores quote theirs, some do not.
pub(super) fn etag(meta: &ObjectMeta) -> String {
    quoted(meta.e_tag.as_deref().unwrap_or_default())
}

fn quoted(etag: &str) -> String {
    format!("\"{}\"", etag.trim_matches('"'))
}

/// What is told of an object; `etag` in quotes.
fn head(meta: &ObjectMeta, etag: &str) -> Value {
    json!({
        "AcceptRanges": "bytes", "ContentLength": meta.size, "ContentType": "binary/octet-stream",
        "ETag": etag, "LastModified": asl::timestamp(meta.last_modified.timestamp_millis()),
        "Metadata": {}, "ServerSideEncryption": "AES256",
    })
}

async fn get(objects: &Arc<dyn ObjectStore>, at: &Path) -> Result<Answer, Fault> {
    let got = objects.get(at).await.map_err(|e| store_fault(&e))?;
    if got.meta.size > MAX_BODY_BYTES {
        let cause = "The state/task 'aws-sdk:s3' returned a result with a size exceeding the maximum number of bytes \
                     service limit.";
        return Err(Failure::new("States.DataLimitExceeded", cause).into());
    }
    let meta = got.meta.clone();
    let bytes = got.bytes().await.map_err(|e| store_fault(&e))?;
    let mut output = head(&meta, &quoted(&md5(&bytes)));
    super::put(&mut output, "Body", String::from_utf8_lossy(&bytes));
    Ok(Answer::of(output))
}

async fn put(objects: &Arc<dyn ObjectStore>, request: &Request, at: &Path) -> Result<Answer, Fault> {
    let bytes = match request.arguments.get("Body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => text.as_bytes().to_vec(),
        Some(other) => other.to_string().into_bytes(),
    };
    let (etag, sum) = (md5(&bytes), crc32(&bytes));
    objects.put(at, bytes.into()).await.map_err(|e| store_fault(&e))?;
    let sum = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sum.to_be_bytes());
    Ok(Answer::of(json!({
        "ChecksumCRC32": sum, "ChecksumType": "FULL_OBJECT", "ETag": quoted(&etag),
        "ServerSideEncryption": "AES256",
    })))
}

/// CRC-32 (ISO-HDLC), bit by bit: objects that flows write are small.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 })
    })
}

async fn buckets(objects: &Arc<dyn ObjectStore>) -> Result<Answer, Fault> {
    let listed = objects.list_with_delimiter(None).await.map_err(|e| store_fault(&e))?;
    let names = listed.common_prefixes.iter().filter_map(|path| path.parts().next_back());
    let names: Vec<Value> = names.map(|name| json!({"Name": name.as_ref()})).collect();
    Ok(Answer::of(json!({"Buckets": names, "Owner": {}})))
}

/// The objects under a prefix, with the keys that they have in their bucket, in the order of the keys.
pub(super) async fn listing(
    objects: &Arc<dyn ObjectStore>,
    bucket: &str,
    prefix: &str,
    after: &str,
    most: usize,
) -> Result<(Vec<(String, ObjectMeta)>, bool), Fault> {
    let root = place(bucket, "")?;
    // The store lists whole folders; the rest of the prefix is compared here.
    let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
    let under = place(bucket, folder)?;
    let mut stream = objects.list(Some(&under));
    // Bounded: only the least keys are kept, however many there are.
    let mut found = std::collections::BTreeMap::new();
    let mut more = false;
    while let Some(meta) = stream.next().await {
        let meta = meta.map_err(|e| store_fault(&e))?;
        let parts = meta.location.parts().skip(root.parts().count());
        let key = parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
        if key.starts_with(prefix) && key.as_str() > after {
            found.insert(key, meta);
            if found.len() > most {
                found.pop_last();
                more = true;
            }
        }
    }
    Ok((found.into_iter().collect(), more))
}

async fn list(objects: &Arc<dyn ObjectStore>, request: &Request, bucket: &str) -> Result<Answer, Fault> {
    let prefix = request.text("Prefix").unwrap_or_default();
    let after = request.text("ContinuationToken").or_else(|| request.text("StartAfter")).unwrap_or_default();
    let most = request.argument("MaxKeys").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let most = most.unwrap_or(MAX_KEYS).min(MAX_KEYS);
    if request.argument("Delimiter").is_some() {
        return Err(Fault::unmodelled("NotImplemented", "`Delimiter` is not available on this engine"));
    }
    let (found, more) = listing(objects, bucket, prefix, after, most).await?;
    let last = found.last().map(|(key, _)| key.clone());
    let contents: Vec<Value> = found
        .iter()
        .map(|(key, meta)| {
            json!({
                "ETag": etag(meta), "Key": key,
                "LastModified": asl::timestamp(meta.last_modified.timestamp_millis()), "Size": meta.size,
                "StorageClass": "STANDARD",
            })
        })
        .collect();
    let mut output = json!({
        "Contents": contents, "IsTruncated": more, "KeyCount": contents.len(), "MaxKeys": most, "Name": bucket,
        "Prefix": prefix,
    });
    if more && let Some(last) = last {
        super::put(&mut output, "NextContinuationToken", last);
    }
    Ok(Answer::of(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_s3() {
        // Recorded on AWS: the bodies `false` and `{"Dict":"Value"}`.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(md5(b"false"), "68934a3e9455fa72420237eb05902327");
    }

    #[test]
    fn no_key_leads_out_of_its_bucket() {
        let path = place("bucket", "../../etc/passwd").unwrap();
        assert!(!path.as_ref().contains("/../") && path.as_ref().starts_with("bucket/"), "{path}");
        for bad in ["", "..", "a/b", "Bucket", ".ab"] {
            assert!(place(bad, "k").is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_entity_tag_has_one_pair_of_quotes_in_every_store() {
        let folder = tempfile::tempdir().unwrap();
        let folder = object_store::local::LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let stores: [Arc<dyn ObjectStore>; 2] = [Arc::new(folder), Arc::new(object_store::memory::InMemory::new())];
        for store in stores {
            let at = place("bucket", "key").unwrap();
            store.put(&at, "body".into()).await.unwrap();
            let tag = etag(&store.head(&at).await.unwrap());
            let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap();
            assert!(!inner.is_empty() && !inner.contains('"'), "{store}: {tag}");
            let (found, _) = listing(&store, "bucket", "", "", 1).await.unwrap();
            assert_eq!(etag(&found[0].1), tag);
        }
        assert_eq!((quoted("a"), quoted("\"a\"")), ("\"a\"".into(), "\"a\"".into()));
    }
}
