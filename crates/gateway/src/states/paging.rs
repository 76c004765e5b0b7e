//! Pages: how many, and where to go on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::fault::Fault;
use super::params::Params;

/// Items of a page when none or 0 are asked for.
const USUAL: usize = 100;
/// The most items of a page.
const MOST: i64 = 1_000;

/// The items wanted, and the cursor. The token says of what it is a cursor, so that no other list takes it.
pub(super) fn page(params: &Params, of: &str, longest_token: usize) -> Result<(usize, Option<String>), Fault> {
    let wanted = params.integer("maxResults")?.unwrap_or_default();
    if wanted > MOST {
        let rule = format!("Member must have value less than or equal to {MOST}");
        return Err(Fault::constraint(&format!("'{wanted}'"), "maxResults", &rule));
    }
    if wanted < 0 {
        let rule = "Member must have value greater than or equal to 0";
        return Err(Fault::constraint(&format!("'{wanted}'"), "maxResults", rule));
    }
    let limit = if wanted == 0 { USUAL } else { usize::try_from(wanted).unwrap_or(USUAL) };
    let Some(token) = params.bounded("nextToken", longest_token)? else { return Ok((limit, None)) };
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
