//! The master key and the keys made from it, one for each purpose.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const SIZE_BYTES: usize = 32;
/// The file in the data folder when the configuration names none.
const FILE_NAME: &str = "key";

/// What a key is for. Each has a key of its own, so that one that leaks opens nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// The application's links, webhooks and callbacks; it derives one for each from this.
    Application,
    /// Task tokens of flows.
    TaskTokens,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Purpose::Application => "comanda/application/1",
            Purpose::TaskTokens => "comanda/task-tokens/1",
        }
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("cannot read the key file `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write the key file `{}`", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("`{}` is no key file: it must hold {SIZE_BYTES} bytes as {} hexadecimal digits", .0.display(), SIZE_BYTES * 2)]
    Malformed(PathBuf),
    #[error("`{}` can be read by others; run `chmod 600 {}`", .0.display(), .0.display())]
    Exposed(PathBuf),
    #[error("the operating system gives no random numbers")]
    Random,
}

/// The key from which all others are made. It has no `Debug`, so that it is in no log.
pub(crate) struct MasterKey([u8; SIZE_BYTES]);

impl MasterKey {
    /// Reads the key file, or makes it if it is absent.
    ///
    /// # Errors
    /// [`KeyError`]; an existing file is never replaced.
    pub(crate) fn open(named: &Path, data: &Path) -> Result<MasterKey, KeyError> {
        let path = match named.as_os_str().is_empty() {
            true => data.join(FILE_NAME),
            false => named.to_owned(),
        };
        match fs::read_to_string(&path) {
            Ok(text) => {
                check_mode(&path)?;
                parse(text.trim()).map(MasterKey).ok_or(KeyError::Malformed(path))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => create(&path),
            Err(source) => Err(KeyError::Read { path, source }),
        }
    }

    /// The key for a purpose: HKDF-Expand (RFC 5869) of one block, with the label as info.
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub(crate) fn derive(&self, purpose: Purpose) -> [u8; SIZE_BYTES] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length");
        mac.update(purpose.label().as_bytes());
        mac.update(&[1]);
        mac.finalize().into_bytes().into()
    }
}

/// Written aside, synced and linked into place: a crash leaves a whole key or none.
fn create(path: &Path) -> Result<MasterKey, KeyError> {
    let mut key = [0; SIZE_BYTES];
    getrandom::fill(&mut key).map_err(|_| KeyError::Random)?;
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let aside = path.with_extension(format!("new-{}", std::process::id()));
    let write = || {
        let mut file = private().create_new(true).write(true).open(&aside)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        // A link, not a rename: it never replaces a key that another process made meanwhile.
        fs::hard_link(&aside, path)?;
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    };
    let written = write();
    let _ = fs::remove_file(&aside);
    match written {
        Ok(()) => Ok(MasterKey(key)),
        Err(source) => Err(KeyError::Write { path: path.into(), source }),
    }
}

fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Err(KeyError::Exposed(path.into())),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> Result<(), KeyError> {
    Ok(())
}

fn parse(text: &str) -> Option<[u8; SIZE_BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != SIZE_BYTES * 2 {
        return None;
    }
    let mut key = [0; SIZE_BYTES];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let open = || MasterKey::open(Path::new(""), folder.path());
        let first = open().unwrap().derive(Purpose::Application);
        assert_eq!(open().unwrap().derive(Purpose::Application), first);
        assert_ne!(open().unwrap().derive(Purpose::TaskTokens), first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_or_exposed_key_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let open = || MasterKey::open(Path::new(""), folder.path()).map(|_| ());
        open().unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(open(), Err(KeyError::Exposed(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "0123").unwrap();
        assert!(matches!(open(), Err(KeyError::Malformed(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "0123");
    }
}
