//! What becomes of orders, told to whoever subscribes to the topic: each change of a status, from the stream of the table.

use serde_json::{Value as Json, json};

use crate::client::{Aws, CallError, Request};
use crate::layout;

/// SNS in signatures, and in `AWS_ENDPOINT_URL_SNS`.
const SNS: &str = "sns";
/// The version of its API.
const VERSION: &str = "2010-03-31";

/// A topic.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    aws: Aws,
    arn: String,
}

/// A change of an order's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OrderNews {
    /// What the topic says: nothing that tells who ordered.
    message: Json,
    status: String,
}

impl OrderNews {
    /// In a change of the table; `None` if it is none.
    pub(super) fn of(change: &Json) -> Option<OrderNews> {
        let text = |image: &str, name: &str| change.get(image)?.get(name)?.get("S")?.as_str();
        let number = |name: &str| change.get("NewImage")?.get(name)?.get("N")?.as_str()?.parse::<i64>().ok();
        let pk = text("NewImage", layout::PK)?;
        if layout::table_name(pk) != "orders" {
            return None;
        }
        let (status, before) = (text("NewImage", "status")?, text("OldImage", "status"));
        if before == Some(status) {
            return None;
        }
        let orders = app::tables().into_iter().find(|table| table.name == "orders")?;
        let id = layout::parse_item_key(orders, pk, text("NewImage", layout::SK)?)?.int()?;
        let message = json!({
            "orderId": app::order_id(id), "status": status, "previousStatus": before,
            "revision": number("revision"), "updatedAtMs": number("updated_at"),
        });
        Some(OrderNews { message, status: status.to_owned() })
    }
}

impl Topic {
    pub(super) fn new(aws: Aws, arn: &str) -> Topic {
        Topic { aws, arn: arn.to_owned() }
    }

    /// Publishes it. Subscribers may get it twice, or out of order: `revision` tells.
    ///
    /// # Errors
    /// It was not taken; the stream hands it out again.
    pub(super) async fn publish(&self, news: &OrderNews) -> Result<(), CallError> {
        let message = news.message.to_string();
        let fields = [
            ("Action", "Publish"),
            ("Version", VERSION),
            ("TopicArn", &self.arn),
            ("Message", &message),
            // For filters of subscriptions.
            ("MessageAttributes.entry.1.Name", "status"),
            ("MessageAttributes.entry.1.Value.DataType", "String"),
            ("MessageAttributes.entry.1.Value.StringValue", &news.status),
        ];
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        let url = format!("{}/", self.aws.endpoint(SNS));
        let request = Request { service: SNS, method: "POST", url, headers, body: body.join("&") };
        self.aws.send(&request).await.map(drop)
    }
}

/// For a form: everything but letters, digits and `-._~` as bytes in percent.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let byte = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use store::{Row, Value};

    use super::*;
    use crate::item;

    fn change(before: Option<&str>, status: &str) -> Json {
        let orders = app::tables().into_iter().find(|table| table.name == "orders").unwrap();
        let row = |status: &str| {
            let value = |column: &store::Column| match column.name {
                "status" => Value::from(status),
                "revision" => Value::Int(3),
                _ if column.nullable => Value::Null,
                _ if column.kind == store::ColumnType::Int => Value::Int(9),
                _ => Value::from("secret"),
            };
            item::of_row(&Row::new(orders, 77, orders.columns.iter().map(value).collect::<Vec<_>>()), &[]).unwrap()
        };
        json!({ "NewImage": row(status), "OldImage": before.map(row) })
    }

    #[test]
    fn a_change_of_status_is_news() {
        let news = OrderNews::of(&change(Some("CHECKOUT"), "RECEIVED")).unwrap();
        assert_eq!(
            news.message,
            json!({
                "orderId": app::order_id(77), "status": "RECEIVED", "previousStatus": "CHECKOUT",
                "revision": 3, "updatedAtMs": 9,
            })
        );
        assert!(OrderNews::of(&change(None, "CHECKOUT")).is_some());
        assert_eq!(OrderNews::of(&change(Some("RECEIVED"), "RECEIVED")), None);
        assert_eq!(OrderNews::of(&json!({ "NewImage": { "pk": { "S": "messages#1" } } })), None);
    }

    #[test]
    fn a_form_takes_any_text() {
        assert_eq!(encode("{\"a\": \"é&\"}"), "%7B%22a%22%3A%20%22%C3%A9%26%22%7D");
    }
}
