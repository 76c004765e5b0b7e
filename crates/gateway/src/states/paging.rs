//! Pages: how many, and where to go on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fault::Fault;
use super::params::Params;

/// Items of a page when none or 0 are asked for.
const USUAL: usize = 100;

/// The items wanted, and the cursor. The token says of what it is a cursor, so that no other list takes it.
pub(super) fn page(params: &Params, of: &str) -> Result<(usize, Option<String>), Fault> {
    let limit = params.integer("maxResults").and_then(|wanted| usize::try_from(wanted).ok());
    let limit = limit.filter(|wanted| *wanted > 0).unwrap_or(USUAL);
    let Some(token) = params.text("nextToken") else { return Ok((limit, None)) };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Fault::token())?;
    let text = String::from_utf8(bytes).map_err(|_| Fault::token())?;
    match text.split_once('\n') {
        Some((whose, cursor)) if whose == of => Ok((limit, Some(cursor.to_owned()))),
        _ => Err(Fault::token()),
    }
}

/// The token of the next page.
pub(super) fn token(of: &str, cursor: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{of}\n{cursor}"))
}
