//! `comanda flow check`.

use std::path::Path;

use crate::failure::{Failure, Kind};
use crate::output::Output;

pub(crate) fn check(file: &Path, _: Output) -> Result<(), Failure> {
    Err(Failure::new(
        Kind::Failed,
        format!("cannot check `{}` yet", file.display()),
    ))
}
