//! Embeds the built page (`web/dist`), each file plain and gzip'ed. Without it the server says how to build it.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

/// Files that shrink by less than this part are served plain.
const WORTH: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../web/dist");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed={}", root.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    if root.join("index.html").exists() {
        list(&root, &mut files)?;
        files.sort();
    }
    let mut code = String::from("&[\n");
    for (at, path) in files.iter().enumerate() {
        let bytes = fs::read(path)?;
        let name = path.strip_prefix(&root)?.to_string_lossy().replace('\\', "/");
        let digest = Sha256::digest(&bytes);
        let tag = digest.iter().take(12).fold(String::new(), |tag, byte| format!("{tag}{byte:02x}"));
        let zipped = gzip(&bytes)?;
        let plain_copy = out.join(format!("asset-{at}"));
        fs::write(&plain_copy, &bytes)?;
        let mut gzipped = "None".to_owned();
        if zipped.len() + bytes.len() / WORTH < bytes.len() {
            let copy = out.join(format!("asset-{at}.gz"));
            fs::write(&copy, zipped)?;
            gzipped = format!("Some(include_bytes!({:?}))", copy.display().to_string());
        }
        writeln!(
            code,
            "    File {{ path: {:?}, kind: {:?}, etag: {:?}, plain: include_bytes!({:?}), gzip: {gzipped} }},",
            format!("/{name}"),
            kind(&name),
            format!("\"{tag}\""),
            plain_copy.display().to_string(),
        )?;
    }
    code.push(']');
    fs::write(out.join("files.rs"), code)?;
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => list(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "webmanifest" => "application/json",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
