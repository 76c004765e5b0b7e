//! How an order reaches the customer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Picked up by the customer, or brought by a courier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryKind {
    /// The customer comes.
    Pickup,
    /// A courier goes.
    Courier,
}

/// Where a courier delivers. Personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// Street.
    pub street: String,
    /// House number, or `s/n`.
    pub number: String,
    /// Flat, floor, block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complement: Option<String>,
    /// Bairro.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    /// City.
    pub city: String,
    /// State, as its short name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// CEP or ZIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address(..)")
    }
}

impl Address {
    /// Checks every field: required ones are there, none is longer than 120 characters or has control characters.
    ///
    /// # Errors
    /// The name of the first field that is wrong; the value stays out, it is personal data.
    pub fn check(&self) -> Result<(), &'static str> {
        let good =
            |text: &str| !text.trim().is_empty() && text.chars().count() <= 120 && !text.chars().any(char::is_control);
        let required = [("street", &self.street), ("number", &self.number), ("city", &self.city)];
        let optional = [
            ("complement", &self.complement),
            ("district", &self.district),
            ("state", &self.state),
            ("postalCode", &self.postal_code),
        ];
        let required = required.into_iter().map(|(name, text)| (name, Some(text)));
        let optional = optional.into_iter().map(|(name, text)| (name, text.as_ref()));
        let wrong = required.chain(optional).find(|(_, text)| text.is_some_and(|t| !good(t)));
        wrong.map_or(Ok(()), |(name, _)| Err(name))
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryStatus {
    /// Nothing asked of a courier yet, or the customer comes.
    Waiting,
    /// A courier was asked.
    Requested,
    /// The courier has the order.
    PickedUp,
    /// The customer has the order.
    Delivered,
    /// Called off with its order.
    Cancelled,
}

/// What a courier reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CourierEvent {
    /// The courier has the order.
    PickedUp,
    /// The customer has the order.
    Delivered,
}

impl CourierEvent {
    /// Its name in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CourierEvent::PickedUp => "picked_up",
            CourierEvent::Delivered => "delivered",
        }
    }
}

impl DeliveryStatus {
    /// Its name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryStatus::Waiting => "WAITING",
            DeliveryStatus::Requested => "REQUESTED",
            DeliveryStatus::PickedUp => "PICKED_UP",
            DeliveryStatus::Delivered => "DELIVERED",
            DeliveryStatus::Cancelled => "CANCELLED",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<DeliveryStatus> {
        use DeliveryStatus::{Cancelled, Delivered, PickedUp, Requested, Waiting};
        [Waiting, Requested, PickedUp, Delivered, Cancelled].into_iter().find(|status| status.as_str() == name)
    }

    /// The status after a report; `None` if the report is old news. Forward only, because reports come in disorder.
    #[must_use]
    pub fn hear(self, event: CourierEvent) -> Option<DeliveryStatus> {
        let next = match event {
            CourierEvent::PickedUp => DeliveryStatus::PickedUp,
            CourierEvent::Delivered => DeliveryStatus::Delivered,
        };
        (self >= DeliveryStatus::Requested && next > self).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_move_a_delivery_forward_only() {
        use CourierEvent as Event;
        use DeliveryStatus::{Cancelled, Delivered, PickedUp, Requested, Waiting};
        #[track_caller]
        fn check(status: DeliveryStatus, event: CourierEvent, expected: Option<DeliveryStatus>) {
            assert_eq!(status.hear(event), expected);
        }
        check(Requested, Event::PickedUp, Some(PickedUp));
        check(Requested, Event::Delivered, Some(Delivered));
        check(PickedUp, Event::PickedUp, None);
        check(PickedUp, Event::Delivered, Some(Delivered));
        check(Delivered, Event::PickedUp, None);
        check(Delivered, Event::Delivered, None);
        check(Waiting, Event::Delivered, None);
        check(Cancelled, Event::PickedUp, None);
        check(Cancelled, Event::Delivered, None);
    }

    #[test]
    fn addresses_name_their_wrong_field() {
        let address = Address {
            street: "Rua da Praia".into(),
            number: "100".into(),
            complement: None,
            district: None,
            city: "Porto Alegre".into(),
            state: Some("RS".into()),
            postal_code: None,
        };
        #[track_caller]
        fn check(address: Address, wrong: Option<&'static str>) {
            assert_eq!(address.check().err(), wrong);
        }
        check(address.clone(), None);
        let city = String::new();
        check(Address { city, ..address.clone() }, Some("city"));
        let complement = Some("x".repeat(121));
        check(Address { complement, ..address.clone() }, Some("complement"));
        let street = "a\nb".into();
        check(Address { street, ..address }, Some("street"));
    }
}
