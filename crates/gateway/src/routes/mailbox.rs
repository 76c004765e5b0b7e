//! The mailbox: every mail that was written.

use app::commands::ListMails;
use app::views::{MailPage, MailView};
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, Cursor, Params, Problem, Reply, Segment, Wire};

resource![list_mails, show_mail];

/// Which mails.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing {
    /// Only to this address.
    to: Option<String>,
    /// Only of this order.
    order: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// List the mails, newest orders first
#[utoipa::path(get, path = "/v1/mailbox", tag = "mailbox", params(Listing), responses(
    (status = 200, description = "a page", body = MailPage),
    (status = 400, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_mails(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Reply, Problem> {
    caller.may(Action::ReadMailbox)?;
    let list = ListMails {
        to: listing.to,
        order: listing.order,
        cursor: Cursor::open(listing.cursor.as_deref())?,
        limit: listing.limit,
    };
    let mut page = gateway.app.mails(list).await?;
    page.next = Cursor::seal(page.next);
    Ok(Reply::ok(&page))
}

/// Show a mail
#[utoipa::path(get, path = "/v1/mailbox/{id}", tag = "mailbox",
    params(("id" = String, Path, description = "`mail_...`")),
    responses(
        (status = 200, description = "the mail with its texts", body = MailView),
        (status = 404, description = "there is no such mail", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_mail(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::ReadMailbox)?;
    Ok(Reply::ok(&gateway.app.mail(&id).await?))
}
