//! Flow files: found in folders, read, parsed.

use std::path::{Path, PathBuf};

use asl::{Definition, Diagnostic};

use crate::failure::{Failure, Kind};
use crate::flows;

/// How flow files end.
pub(super) const FLOW: &str = ".asl.json";
/// How deep folders are searched.
const MOST_DEPTH: usize = 16;
/// The most files of one command.
const MOST_FILES: usize = 10_000;

/// A flow file.
pub(super) struct FlowFile {
    pub(super) path: PathBuf,
    /// As it is written.
    pub(super) text: String,
    /// With its placeholders filled in.
    pub(super) filled: String,
}

/// Reads a file.
///
/// # Errors
/// It is not there or cannot be read.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => Kind::NotFound,
            _ => Kind::Failed,
        };
        Failure::new(kind, format!("cannot read `{}`: {error}", path.display()))
    })
}

/// Reads and parses a flow file; what is wrong with the flow is the inner result.
///
/// # Errors
/// The file cannot be read.
pub(super) fn open(path: &Path) -> Result<(FlowFile, Result<Definition, Vec<Diagnostic>>), Failure> {
    let text = read(path)?;
    let filled = asl::substitute(&text, &flows::names(&text));
    let parsed = filled.as_ref().map_err(Clone::clone).and_then(|text| Definition::parse(text));
    Ok((FlowFile { path: path.into(), filled: filled.unwrap_or_else(|_| text.clone()), text }, parsed))
}

/// A flow file that has to be valid.
///
/// # Errors
/// It cannot be read, or is not valid.
pub(super) fn valid(path: &Path) -> Result<(FlowFile, Definition), Failure> {
    let (file, parsed) = open(path)?;
    match parsed {
        Ok(definition) => Ok((file, definition)),
        Err(findings) => {
            let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
            let message = format!("`{}` is not valid:\n{}", path.display(), lines.join("\n"));
            Err(Failure::new(Kind::Refused, message))
        }
    }
}

/// The files themselves, and those in the folders whose names end so, sorted.
///
/// # Errors
/// One is not there, or there are too many.
pub(super) fn find(paths: &[PathBuf], ending: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        search(path, ending, MOST_DEPTH, &mut found)?;
        if found.len() == before {
            let message = format!("there is no `*{ending}` in `{}`", path.display());
            return Err(Failure::new(Kind::NotFound, message));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn search(folder: &Path, ending: &str, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Kind::Failed, format!("cannot read the folder `{}`: {error}", folder.display()))
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
        // Links are not followed: they can lead in circles.
        if kind.is_dir() {
            if depth > 0 {
                search(&path, ending, depth - 1, found)?;
            }
        } else if entry.file_name().to_string_lossy().ends_with(ending) {
            found.push(path);
        }
        if found.len() > MOST_FILES {
            return Err(Failure::new(Kind::Usage, format!("more than {MOST_FILES} files; name a smaller folder")));
        }
    }
    Ok(())
}
