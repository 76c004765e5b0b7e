//! Names of state machines, executions, activities and aliases.

use super::fault::Fault;

/// Characters that no name may have, besides blanks and control characters.
const FORBIDDEN: &str = "<>{}[]?*\"#%\\^|~`$&,;:/";

/// Checks the characters of a name ("Naming" of the Step Functions API reference); the model checks its length.
pub(super) fn check(name: &str) -> Result<&str, Fault> {
    let bad = |c: char| {
        c.is_whitespace() || c.is_control() || FORBIDDEN.contains(c) || ('\u{fffe}'..='\u{ffff}').contains(&c)
    };
    match name.contains(bad) {
        true => Err(Fault::new("InvalidName", format!("Invalid Name: '{name}'"))),
        false => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_have_rules() {
        for good in ["a", "Order-1_x.y", "pão"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["a b", "a:b", "a/b", "\u{0}a", "a\u{85}", "a$"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
