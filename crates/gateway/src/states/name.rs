//! Names of state machines, executions, activities and aliases.

use super::fault::Fault;

/// The most characters of a name.
const MOST: usize = 80;
/// Characters that no name may have, besides blanks and control characters.
const FORBIDDEN: &str = "<>{}[]?*\"#%\\^|~`$&,;:/";

/// Checks a name ("Naming" of the Step Functions API reference).
pub(super) fn check(name: &str) -> Result<&str, Fault> {
    let bad = |c: char| {
        c.is_whitespace() || c.is_control() || FORBIDDEN.contains(c) || ('\u{fffe}'..='\u{ffff}').contains(&c)
    };
    match name.is_empty() || name.chars().count() > MOST || name.contains(bad) {
        true => Err(Fault::new("InvalidName", format!("Invalid Name: '{name}'"))),
        false => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_have_rules() {
        for good in ["a", "Order-1_x.y", "pão", &"x".repeat(80)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a:b", "a/b", "\u{0}a", "a\u{85}", "a$", &"x".repeat(81)] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
