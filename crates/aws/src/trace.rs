//! The trace that the work at hand belongs to, as X-Ray passes it from service to service.
//!
//! A process of Lambda handles one event at a time, so there is one at most.

use parking_lot::RwLock;

/// The header that carries it.
pub const HEADER: &str = "x-amzn-trace-id";

static CURRENT: RwLock<Option<Trace>> = RwLock::new(None);

/// A trace, and the place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// 32 hexadecimal digits, as OpenTelemetry has them.
    pub id: String,
    /// The span to which what follows belongs: 16 hexadecimal digits, if it is known.
    pub parent: Option<String>,
    /// Whether it is recorded.
    pub sampled: bool,
}

impl Trace {
    /// Reads `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`; `None` if it is none.
    #[must_use]
    pub fn of(header: &str) -> Option<Trace> {
        let parts = || header.split(';').filter_map(|part| part.trim().split_once('='));
        let part = |name: &str| parts().find(|(key, _)| *key == name).map(|(_, value)| value);
        let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
        let (time, rest) = part("Root")?.strip_prefix("1-")?.split_once('-')?;
        if !is_hex(time, 8) || !is_hex(rest, 24) {
            return None;
        }
        let parent = part("Parent").filter(|parent| is_hex(parent, 16)).map(str::to_owned);
        Some(Trace { id: format!("{time}{rest}"), parent, sampled: part("Sampled") == Some("1") })
    }

    /// As the header says it.
    #[must_use]
    pub fn header(&self) -> String {
        let (time, rest) = self.id.split_at_checked(8).unwrap_or((&self.id, ""));
        let parent = self.parent.as_ref().map(|parent| format!(";Parent={parent}")).unwrap_or_default();
        format!("Root=1-{time}-{rest}{parent};Sampled={}", u8::from(self.sampled))
    }
}

/// Begins work that belongs to a trace, or to none.
pub fn begin(trace: Option<Trace>) {
    *CURRENT.write() = trace;
}

/// The header for what is asked of others now.
#[must_use]
pub fn header() -> Option<String> {
    CURRENT.read().as_ref().map(Trace::header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back() {
        for header in [
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
        ] {
            assert_eq!(Trace::of(header).unwrap().header(), header);
        }
        let with_lineage = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:0";
        assert!(Trace::of(with_lineage).unwrap().sampled);
        for wrong in ["", "Root=2-1-2", "Root=1-5759e988-bd862e3f", "Parent=53995c3f42cd8ad8", "Root=1-xxxxxxxx-y"] {
            assert_eq!(Trace::of(wrong), None, "{wrong}");
        }
    }
}
